//! What every test in `tests/operator` is made of.
//!
//! | file | gives |
//! |---|---|
//! | `world.rs` | [`world::World`]: one test's namespace, simulator, operator and helpers for objects, Secrets and Meta |
//! | `waiting.rs` | the `World` helpers that wait for a fact: `until_…`, `eventually`, `settle` |
//! | `scenario.rs` | the `World` helpers and seeds for tests about one number, the object [`scenario::SUPPORT`] |
//! | `seed.rs` | the state at Meta when a test starts |
//! | `manifests.rs` | objects as a person would write them |
//! | `operator.rs`, `program.rs` | an operator in this process; one as a program that can be killed and paused |
//! | `pages.rs`, `logs.rs` | an operator's health, readiness and metrics; the log of one in this process |
//! | `gate.rs` | [`gate::Gate`]: a proxy before the API server that holds or refuses requests and drops replies |
//! | `operations.rs` | for every call that changes a number: the world it needs, how to cause it, the final state |
//! | `stop_point.rs` | the points at which such a call can be stopped, by a gate or by the simulator |
//! | `witness.rs`, `secret_scan.rs`, `final_checks.rs` | the checks behind `World::finish` |
//!
//! # Vocabulary
//!
//! | word | meaning |
//! |---|---|
//! | `World::running`, `connected`, `with_number` | a world with an operator; plus a connected app; plus the number `SUPPORT` |
//! | `until_phase(name, phase, ready)` | waits for phase and Ready, written `True/Enabled`: status and reason |
//! | `until_ready_message`, `until_message` | wait for Ready, or another condition, of `SUPPORT`, and for words in its message |
//! | `until_polled(account, n)` | waits for `n` further polls (regular reads of an account): the tests' clock |
//! | `settle()` | waits until two polls in a row change no object |
//! | `eventually(what, ask)` | waits until `ask` returns a value; `what` names it in a timeout |
//! | `request_action(name, annotation, ago)` | sets an action's annotation, dated `ago` seconds before Meta's time |
//! | `assert_writes_at_meta(&["register"])` | settles; Meta has received exactly these changing calls, named by their path's end |
//! | `change_at_meta`, `advance_and_restart` | change the number at Meta; advance Meta's clock and restart the operator |
//! | `inject_fault`, `clear_faults` | the simulator fails calls `before` or `after` it carries them out |
//! | hold, reached, release, refuse | a gate or the simulator stops a request, which is then forwarded or dropped |
//! | `track_secret` | has `finish` scan objects, Events, logs and metrics for one more secret |
//! | `violations` | careless calls, which Meta would punish; the simulator lists them |
//! | `finish()` | the last line of every test: stops the operator and makes all final checks |

pub mod gate;
pub mod logs;
pub mod manifests;
pub mod operations;
pub mod operator;
pub mod pages;
pub mod program;
pub mod scenario;
pub mod seed;
pub mod stop_point;
pub mod world;

mod final_checks;
mod secret_scan;
mod waiting;
mod witness;
