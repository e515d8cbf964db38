"use strict";
// The address with the key was opened. What changes seats stays in this tab: unlike a cookie it is told to no other port.

try {
  sessionStorage.setItem("token", document.querySelector("meta[name=token]").content);
} finally {
  location.replace("/");
}
