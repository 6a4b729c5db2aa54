//! Labels and finalizers of the operator on objects of its kinds. Annotations that request something are
//! [`Action`](super::Action)s.

/// Label of an imported object: the name of the `MetaApp` that imported it. Whoever removes it makes the object their own.
pub const IMPORTED_BY: &str = "waba.dev/imported-by";

/// Finalizer of a number that has to be deregistered before it goes.
pub const DEREGISTER: &str = "waba.dev/deregister";
