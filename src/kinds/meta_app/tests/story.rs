//! Whatever happens, in whatever order: every status keeps the rules, every reconcile ends, no token is lost, and all is
//! well again when the causes are gone. [`Scene::reconcile`] checks each status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::SignedDuration;
use proptest::prelude::*;

use super::fixtures::{ACCOUNT, Says, Scene, problem};
use crate::kinds::meta_app::cached_answers::Credentials;
use crate::{
    api::{Action, GoDuration, ManagedStatus, ManagementPolicy, TokenRefresh},
    messages::Reason,
    observe::AppState,
};

const OTHER: &str = "202290129340398";
const TOKENS: [&str; 3] = ["A", "B", "X"];

#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    Poll,
    Restart,
    User(&'static str),
    NoUserToken(bool),
    NoSecret(bool),
    Secret,
    OtherSecret(&'static str, Result<Credentials, u32>),
    Says(&'static str, Says),
    Refuses(&'static str, &'static str, u32),
    Heals,
    Credentials(Result<Credentials, u32>),
    Lists(Result<Vec<String>, u32>),
    Gives(Result<&'static str, u32>),
    Asked,
    Skew(i64),
    Rival(bool),
    Edit(usize),
}

const EDITS: &[fn(&mut Scene)] = &[
    |scene| scene.edit(|app| app.spec.suspend = !app.spec.suspend),
    |scene| {
        scene.edit(|app| {
            app.spec.management_policy = match app.spec.management_policy {
                ManagementPolicy::Full => ManagementPolicy::Observe,
                ManagementPolicy::Observe => ManagementPolicy::Full,
            };
        });
    },
    |scene| {
        let before: GoDuration = serde_json::from_str("\"240h\"").unwrap();
        scene.edit(|app| app.spec.token_refresh = Some(TokenRefresh { before }));
    },
    |scene| scene.edit(|app| app.spec.token_refresh = None),
    |scene| scene.names(&[ACCOUNT]),
    |scene| scene.names(&[ACCOUNT, OTHER]),
    |scene| scene.edit(|app| app.spec.business_account_ids = None),
];

fn event() -> impl Strategy<Value = Event> {
    let codes = || prop::sample::select(vec![2, 10, 33, 100, 190, 80_007, 131_031]);
    let token = || prop::sample::select(TOKENS.to_vec());
    let account = || prop::sample::select(vec![ACCOUNT, OTHER]);
    let says = prop_oneof![
        Just(Says::works()),
        Just(Says::works_for_all()),
        (-1_i64..300).prop_map(Says::ends_in),
        Just(Says::Dead(460)),
        Just(Says::Foreign),
        (-1_i64..300, -1_i64..300).prop_map(|(own, data)| Says::Persons(own, data)),
        codes().prop_map(Says::Fails),
    ];
    let credentials = prop_oneof![
        2 => Just(Ok(Credentials::Valid("INO".to_owned()))),
        1 => Just(Ok(Credentials::WrongAppID)),
        1 => Just(Ok(Credentials::WrongAppSecret)),
        1 => Just(Err(2)),
    ];
    let secrets = credentials.clone();
    let lists = prop_oneof![
        Just(Ok(vec![ACCOUNT.to_owned()])),
        Just(Ok(vec![OTHER.to_owned(), ACCOUNT.to_owned()])),
        Just(Ok(Vec::new())),
        codes().prop_map(Err),
    ];
    prop_oneof![
        4 => prop::sample::select(vec![1, 9, 31, 61, 1_500]).prop_map(Event::Pass),
        6 => Just(Event::Poll),
        1 => Just(Event::Restart),
        3 => token().prop_map(Event::User),
        1 => any::<bool>().prop_map(Event::NoUserToken),
        1 => any::<bool>().prop_map(Event::NoSecret),
        1 => Just(Event::Secret),
        2 => (prop::sample::select(vec!["B", "C"]), secrets).prop_map(|(name, says)| Event::OtherSecret(name, says)),
        3 => (token(), says).prop_map(|(token, says)| Event::Says(token, says)),
        3 => (token(), account(), codes()).prop_map(|(token, account, code)| Event::Refuses(token, account, code)),
        2 => Just(Event::Heals),
        2 => credentials.prop_map(Event::Credentials),
        1 => lists.prop_map(Event::Lists),
        2 => prop_oneof![token().prop_map(Ok), codes().prop_map(Err), Just(Err(0))].prop_map(Event::Gives),
        1 => Just(Event::Asked),
        1 => (-10_i64..10).prop_map(Event::Skew),
        1 => any::<bool>().prop_map(Event::Rival),
        3 => (0..EDITS.len()).prop_map(Event::Edit),
    ]
}

fn happen(scene: &mut Scene, event: Event) {
    match event {
        Event::Pass(minutes) => scene.pass(minutes),
        Event::Poll => scene.poll(),
        Event::Restart => scene.restart(),
        Event::User(token) => scene.user(token),
        Event::NoUserToken(passing) => scene.user_token = Err(problem(Reason::SecretUnreadable, passing)),
        Event::NoSecret(passing) => scene.secret = Err(problem(Reason::SecretUnreadable, passing)),
        Event::Secret => scene.put_secret(),
        Event::OtherSecret(name, says) => scene.other_secret(name, says),
        Event::Says(token, says) => scene.says(token, says),
        Event::Refuses(token, account, code) => scene.refuses(token, account, code),
        Event::Heals => scene.meta.refuses.clear(),
        Event::Credentials(found) => scene.meta.credentials = found,
        Event::Lists(found) => scene.meta.lists = found,
        Event::Gives(Ok(token)) => scene.gives(token),
        Event::Gives(Err(code)) => scene.meta.gives = Err(code),
        Event::Asked => scene.request(Action::RefreshToken),
        Event::Skew(minutes) => scene.skew = SignedDuration::from_mins(minutes),
        Event::Rival(there) => scene.competing_object = there.then(|| "ino-cx-old".to_owned()),
        Event::Edit(which) => EDITS[which](scene),
    }
}

/// The live token's name, `-` for none.
fn live(scene: &Scene) -> String {
    scene.kept().split(' ').next().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn whatever_happens(events in prop::collection::vec(event(), 1..40)) {
        let mut scene = Scene::new();
        for event in events {
            let (before, steps) = (live(&scene), scene.steps.len());
            happen(&mut scene, event);
            scene.reconcile();

            let (after, suspended) = (live(&scene), scene.app.spec.suspend);
            prop_assert!(before == "-" || after != "-", "the token in use is lost");
            prop_assert!(before == after || scene.is_proven(&after), "{after} is used, and nobody proved it");
            prop_assert!(!suspended || scene.steps.len() == steps, "suspended, and Meta is called");
            prop_assert!(scene.wait.is_none_or(|wait| wait.as_secs() <= 1_800), "looks again in {:?}", scene.wait);
            let phase = scene.app.status.as_ref().and_then(ManagedStatus::phase);
            prop_assert_eq!(phase == Some("Suspended"), suspended);
            prop_assert!(scene.standing != AppState::Ready || phase == Some("Connected") || scene.held, "{:?}", phase);
        }
        if scene.app.spec.suspend {
            EDITS[0](&mut scene);
        }
        scene.competing_object = None;
        scene.skew = SignedDuration::ZERO;
        scene.meta.refuses.clear();
        scene.meta.credentials = Ok(Credentials::Valid("INO".to_owned()));
        scene.meta.lists = Ok(vec![ACCOUNT.to_owned()]);
        for token in TOKENS {
            scene.says(token, Says::works());
        }
        scene.put_secret();
        scene.user("A");
        scene.pass(31);
        scene.settled();
        // Accounts that are gone are forgotten after a day.
        scene.pass(25 * 60);
        scene.settled();
        prop_assert_eq!(scene.told(), "Connected True/Connected", "all is well again");
        prop_assert!(!scene.held);
    }
}
