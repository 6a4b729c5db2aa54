pub mod gate;
pub mod logs;
pub mod manifests;
pub mod operations;
pub mod operator;
pub mod pages;
pub mod program;
pub mod scenario;
pub mod seed;
pub mod world;

mod final_checks;
mod secret_scan;
mod waiting;
mod witness;
