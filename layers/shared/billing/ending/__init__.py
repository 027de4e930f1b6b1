"""The end of an account: cancellation, reactivation, exports, deletion."""
