//! The cluster is restored from a backup that is older than a call: for every operation, Meta gets no second call
//! although the restored cluster has no record of the first. Manifests are applied again; annotations that people set
//! by hand are lost, or come back with their old value.

use futures::future::join_all;
use kube::ResourceExt;
use serde_json::{Value, json};
use waba_operator::{
    api::{WhatsAppNumber, WhatsAppNumberHandled},
    calls::Operation,
};

use crate::harness::{
    operations::{assert_done_once, assert_outcome, prepare, trigger, world_for_on},
    scenario::SUPPORT,
    seed::NUMBER,
    world::{World, install_crds},
};

/// Who still knows what happened after the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// The operator that ran during the restore.
    Operator,
    /// Only Meta.
    Nobody,
}

/// One operation with its own namespace in the cluster.
struct Part {
    operation: Operation,
    world: World,
    /// The action annotation that led to the call, with its value.
    action_set: Option<(&'static str, String)>,
    /// The last call to Meta before the backup was restored.
    last: u64,
}

impl Part {
    /// Brings the operation to where it can be triggered, before the backup.
    async fn before(plane: &control_plane::ControlPlane, operation: Operation) -> Self {
        let mut world = world_for_on(plane, "b", operation).await;
        let settings = world.program_settings();
        world.start_program(&settings).await;
        prepare(&world, operation).await;
        world.settle().await;
        Self { operation, world, action_set: None, last: 0 }
    }

    /// Triggers the operation and waits for its outcome.
    async fn done(&mut self) {
        let Self { operation, world, .. } = self;
        trigger(world, *operation).await;
        if *operation == Operation::RequestCode {
            // The code is entered after the restore.
            world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
        } else {
            assert_outcome(world, *operation, true).await;
        }
        world.settle().await;
        let object = world.get::<WhatsAppNumber>(SUPPORT).await;
        let request = |object: &WhatsAppNumber| {
            let mut actions = WhatsAppNumberHandled::ACTIONS.iter().map(|action| action.annotation());
            actions.find_map(|action| Some((action, object.annotations().get(action)?.clone())))
        };
        self.action_set = object.as_ref().and_then(request);
        self.last = world.last_call().await;
    }

    /// Applies the manifests again, as a continuous delivery tool does.
    async fn applied_again(&self, memory: Memory) {
        let Self { operation, world, action_set, .. } = self;
        match action_set {
            // An annotation in a manifest, with its old value.
            Some((action, value)) if memory == Memory::Operator => {
                let patch = json!({"metadata": {"annotations": {*action: value}}});
                world.patch::<WhatsAppNumber>(SUPPORT, patch).await;
            }
            Some(_) => {}
            None => trigger(world, *operation).await,
        }
    }

    /// Checks the final state, and that Meta got no further call.
    async fn changes_nothing(self, memory: Memory) {
        let Self { operation, world, last, .. } = self;
        if operation == Operation::Deregister {
            world.until_gone::<WhatsAppNumber>(SUPPORT).await;
        }
        world.settle().await;
        let since = world.sim.calls(last).await.unwrap();
        let changing: Vec<&Value> = since.iter().filter(|call| call["method"] != "GET").collect();
        // Meta normalises websites, and the restored cluster has no record of the normalised form: one more write is
        // allowed.
        let allowed = usize::from(operation == Operation::WriteProfile && memory == Memory::Nobody);
        assert!(
            changing.len() <= allowed,
            "{operation}: Meta received another changing call: {changing:#?}\n{}",
            world.diagnostics().await
        );
        if operation == Operation::Register && memory == Memory::Nobody {
            // The PIN was created after the backup, so it is lost, and the status reports that.
            world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
            world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "Unknown/PINUnknown").await;
            assert_eq!(world.counters(NUMBER).await["register"], 1);
        } else if operation == Operation::SetPin && memory == Memory::Nobody {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
        } else {
            assert_outcome(&world, operation, true).await;
        }
        assert_done_once(&world, operation, &format!("{operation}, {memory:?} remembers")).await;
        world.finish().await;
    }
}

async fn restored(memory: Memory, operations: impl Iterator<Item = Operation>) {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    install_crds(&plane).await;
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
async fn no_call_is_repeated_after_a_restore_while_the_operator_remembers_it() {
    restored(Memory::Operator, Operation::ALL.iter().copied()).await;
}

/// Without that memory the operator depends on what Meta shows. Meta does not show whether a code was sent.
#[tokio::test]
async fn no_call_is_repeated_after_a_restore_when_meta_shows_its_effect() {
    let shown = Operation::ALL.iter().copied().filter(|operation| *operation != Operation::RequestCode);
    restored(Memory::Nobody, shown).await;
}
