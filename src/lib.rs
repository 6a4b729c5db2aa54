//! The operator as a library.

pub mod api;
