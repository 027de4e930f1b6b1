"""The end of an account: cancellation, reactivation, exports, deletion (DESIGN 3.1, 3.7)."""
