"""The stages of `up`: look, assemble, observe, plan, apply. Others that change what runs go through them, too."""
