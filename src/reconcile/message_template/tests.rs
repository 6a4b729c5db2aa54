//! Table and property tests of the plan.
