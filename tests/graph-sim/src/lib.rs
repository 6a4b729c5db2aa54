//! A strict, stateful stand-in for the Graph API.
