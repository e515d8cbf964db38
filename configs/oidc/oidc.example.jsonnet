// Maps the claims of the provider "example" to an identity. Kratos runs this at every sign-up through it.
local claims = std.extVar('claims');

// Not every provider sends email_verified. An address that is not verified is not taken over: anybody could
// have typed it there, and it would open the account of whoever owns it.
local has(claim) = std.objectHas(claims, claim);
local verified = has('email') && has('email_verified') && claims.email_verified == true;

{
  identity: {
    traits: {
      [if verified then 'email']: claims.email,
      [if has('name') then 'name']: claims.name,
    },
    // From Kratos v1.1.0 on, these addresses need no verification code of Kratos' own.
    verified_addresses: if verified then [{ via: 'email', value: claims.email }] else [],
  },
}
