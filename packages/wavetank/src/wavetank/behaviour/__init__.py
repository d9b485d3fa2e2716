"""What happens around a write: rules, engines, numbers, journals and audit, in the documented order."""
