"""Commands that certify, explain and compare classes of observations."""
