"""What templates of the portal may say beyond Django's own words."""
