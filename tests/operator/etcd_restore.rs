//! A backup of the cluster that was made before a call is restored after it: for every call that changes a number, Meta is
//! not asked again for what the restored cluster knows nothing of. What is in Git comes back; what people have asked for by
//! hand does not, or does so as it was.

use futures::future::join_all;
use kube::ResourceExt;
use serde_json::{Value, json};
use waba_operator::{
    api::{Managed, WhatsAppNumber},
    ledger::Operation,
};

use crate::harness::{
    operations::{ask_for, due_on, must_be, must_be_over, ready},
    scenario::SUPPORT,
    seed::NUMBER,
    world::{World, define},
};

/// Who remembers what the backup does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// The operator that was at work when it was restored.
    Operator,
    /// Nobody but Meta.
    Nobody,
}

/// One operation's part of the cluster.
struct Part {
    operation: Operation,
    world: World,
    /// The request of a person that led to the call.
    asked: Option<(&'static str, String)>,
    /// The last call to Meta before the backup was restored.
    last: u64,
}

impl Part {
    /// All that comes before the backup.
    async fn before(plane: &control_plane::ControlPlane, operation: Operation) -> Self {
        let mut world = due_on(plane, "b", operation).await;
        let settings = world.program_settings();
        world.start_program(&settings).await;
        ready(&world, operation).await;
        world.settle().await;
        Self { operation, world, asked: None, last: 0 }
    }

    /// The call is made, and its outcome is known.
    async fn done(&mut self) {
        let Self { operation, world, .. } = self;
        ask_for(world, *operation).await;
        if *operation == Operation::RequestCode {
            // What comes of the code is for later.
            world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
        } else {
            must_be(world, *operation, true).await;
        }
        world.settle().await;
        let object = world.get::<WhatsAppNumber>(SUPPORT).await;
        let request = |object: &WhatsAppNumber| {
            let mut actions = WhatsAppNumber::ACTIONS.iter().map(|action| action.annotation());
            actions.find_map(|action| Some((action, object.annotations().get(action)?.clone())))
        };
        self.asked = object.as_ref().and_then(request);
        self.last = world.last_call().await;
    }

    /// Whoever applies what is in Git brings back what came after the backup.
    async fn applied_again(&self, memory: Memory) {
        let Self { operation, world, asked, .. } = self;
        match asked {
            // An annotation from a manifest, as old as it was.
            Some((action, value)) if memory == Memory::Operator => {
                let patch = json!({"metadata": {"annotations": {*action: value}}});
                world.patch::<WhatsAppNumber>(SUPPORT, patch).await;
            }
            Some(_) => {}
            None => ask_for(world, *operation).await,
        }
    }

    /// What must be, and that nobody asked Meta for it.
    async fn changes_nothing(self, memory: Memory) {
        let Self { operation, world, last, .. } = self;
        if operation == Operation::Deregister {
            world.gone::<WhatsAppNumber>(SUPPORT).await;
        }
        world.settle().await;
        let since = world.sim.calls(last).await.unwrap();
        let changing: Vec<&Value> = since.iter().filter(|call| call["method"] != "GET").collect();
        // Meta shows a website in a way of its own, of which nobody knows any more that it is the same.
        let allowed = usize::from(operation == Operation::WriteProfile && memory == Memory::Nobody);
        assert!(
            changing.len() <= allowed,
            "{operation}: Meta was asked again: {changing:#?}\n{}",
            world.picture().await
        );
        if operation == Operation::Register && memory == Memory::Nobody {
            // The PIN was made after the backup: it is lost, and that is told.
            world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
            world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "Unknown/PINUnknown").await;
            assert_eq!(world.counters(NUMBER).await["register"], 1);
        } else if operation == Operation::SetPin && memory == Memory::Nobody {
            world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
        } else {
            must_be(&world, operation, true).await;
        }
        must_be_over(&world, operation, &format!("{operation}, {memory:?} remembers")).await;
        world.finish().await;
    }
}

async fn restored(memory: Memory, operations: impl Iterator<Item = Operation>) {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    define(&plane).await;
    let mut parts = join_all(operations.map(|operation| Part::before(&plane, operation))).await;
    let snapshot = plane.snapshot().await.unwrap();
    join_all(parts.iter_mut().map(Part::done)).await;

    if memory == Memory::Nobody {
        for part in &mut parts {
            part.world.take_program().kill();
        }
    }
    plane.restore(&snapshot).await.unwrap();
    if memory == Memory::Operator {
        for part in &mut parts {
            let program = part.world.take_program();
            let output = program.output();
            assert_eq!(program.ended().await.code(), Some(1), "{}", part.operation);
            assert!(output.text().contains("data went back in time"), "{}: {}", part.operation, output.tail(20));
        }
    }
    join_all(parts.iter().map(|part| part.applied_again(memory))).await;
    join_all(parts.iter_mut().map(async |part| {
        let settings = part.world.program_settings();
        part.world.start_program(&settings).await;
    }))
    .await;
    join_all(parts.into_iter().map(|part| part.changes_nothing(memory))).await;
}

#[tokio::test]
async fn what_was_done_after_a_backup_is_not_done_again_while_somebody_remembers() {
    restored(Memory::Operator, Operation::ALL.iter().copied()).await;
}

/// Without that, what Meta shows has to do. A code is not shown: nobody can know that one was sent.
#[tokio::test]
async fn what_was_done_after_a_backup_is_not_done_again_where_meta_shows_it() {
    let shown = Operation::ALL.iter().copied().filter(|operation| *operation != Operation::RequestCode);
    restored(Memory::Nobody, shown).await;
}
