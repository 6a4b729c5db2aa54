//! The operator creates objects for the numbers and templates it finds at Meta.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use waba_operator::api::{Direction, ManagementPolicy, MessageTemplate, MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, importing, number, template},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER, NUMBER_OBJECT},
    world::{World, condition},
};

const IMPORTED_BY: &str = "waba.dev/imported-by";
/// `sha256("102290129340398/order_shipped/en_US")` begins with this.
const TEMPLATE_OBJECT: &str = "order-shipped-en-us-";

async fn imported_template(world: &World) -> String {
    world
        .eventually("the template is imported", async || {
            world.names::<MessageTemplate>().await.into_iter().find(|name| name.starts_with(TEMPLATE_OBJECT))
        })
        .await
}

#[tokio::test]
async fn every_number_and_template_found_gets_an_object_with_a_status() {
    let mut seed = seed::two_accounts();
    seed::push(
        &mut seed,
        "templates",
        json!({
            "account": ACCOUNT, "name": "promo", "language": "fr", "status": "REJECTED", "rejected_reason": "PROMOTIONAL",
        }),
    );
    let world = World::running("import", seed).await;
    world.create(&importing()).await;

    let app = world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    let number = world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("number-33184882020", "Enabled", "True/Enabled").await;
    let template =
        world.until_phase::<MessageTemplate>(&imported_template(&world).await, "Approved", "True/Approved").await;

    assert_eq!(number.metadata.labels.as_ref().unwrap()[IMPORTED_BY], INO);
    assert!(number.metadata.owner_references.is_none() && number.metadata.annotations.is_none());
    assert_eq!(number.spec.directions, [Direction::Incoming, Direction::Outgoing]);
    assert_eq!(number.spec.phone_number, "+33612345678");
    assert_eq!(number.spec.business_account_id.as_deref(), Some(ACCOUNT));
    assert_eq!(number.spec.management_policy, ManagementPolicy::Full);
    let status = number.status.unwrap();
    assert_eq!(status.phone_number_id.as_deref(), Some(NUMBER));
    assert_eq!(status.verified_name.as_deref(), Some("INO Support"));
    assert_eq!(status.provider.as_deref(), Some("Meta Cloud API"));
    assert_eq!(status.quality_rating.as_deref(), Some("GREEN"));

    assert_eq!(template.spec.management_policy, ManagementPolicy::Observe);
    assert_eq!((template.spec.template_name.as_str(), template.spec.language.as_str()), ("order_shipped", "en_US"));
    assert!(template.spec.body.is_none(), "identity only");
    assert_eq!(template.status.unwrap().content.unwrap().body.unwrap().text, "Your order is on its way.");

    let accounts = app.status.unwrap().business_accounts;
    assert_eq!(accounts.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), [ACCOUNT, seed::ACCOUNT_2]);
    let counted = |app: &MetaApp| {
        let counts = app.status.as_ref()?.counts.as_ref()?;
        Some((counts.numbers, counts.enabled, counts.templates, counts.approved, counts.rejected))
    };
    world.until::<MetaApp>(INO, "counts", |app| counted(app) == Some((2, 2, 3, 2, 1))).await;
    assert_eq!(world.until_event(INO, "Imported").await, "imported 2 numbers and 3 templates");
    assert!(world.events(NUMBER_OBJECT).await.is_empty(), "only the app has an Event about the import");
    world.finish().await;
}

#[tokio::test]
async fn excluded_auto_generated_migrated_and_deleted_items_are_not_imported() {
    let mut seed = seed::small();
    for (id, display, status) in [
        ("106540352242930", "+33 6 98 76 54 32", "CONNECTED"),
        ("106540352242931", "+33 6 44 51 02 79", "MIGRATED"),
        ("106540352242932", "+33 6 44 51 02 80", "DELETED"),
    ] {
        let mut number = seed::number(id, ACCOUNT, display);
        number["status"] = json!(status);
        seed::push(&mut seed, "numbers", number);
    }
    for (name, language, source) in
        [("hello_world", "en_US", "manual"), ("hello_world", "fr", "manual"), ("promo", "fr", "auto_generated")]
    {
        let mut template =
            seed::template(&format!("59442547926{}", 2000 + name.len() + language.len()), ACCOUNT, name, language);
        template["source"] = json!(source);
        seed::push(&mut seed, "templates", template);
    }
    let world = World::running("import-rules", seed).await;
    let rules = json!({
        "numbers": {"directions": ["Incoming"], "exclude": ["+33698765432"]},
        "templates": {"exclude": [{"name": "hello_world", "language": "en_US"}]},
    });
    world.create(&app(INO, json!({"import": rules}))).await;

    let number = world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(number.spec.directions, [Direction::Incoming]);
    imported_template(&world).await;
    world.settle().await;
    assert_eq!(world.names::<WhatsAppNumber>().await, [NUMBER_OBJECT]);
    let templates = world.names::<MessageTemplate>().await;
    assert_eq!(templates.len(), 2, "{templates:?}");
    assert!(templates[0].starts_with("hello-world-fr-"), "{templates:?}");

    world.sim.patch("numbers/106540352242931", json!({"status": "CONNECTED"})).await.unwrap();
    world.until_phase::<WhatsAppNumber>("number-33644510279", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn a_deleted_import_returns_unless_it_is_excluded() {
    let world = World::running("import-again", seed::small()).await;
    world.create(&importing()).await;
    let first = world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.settle().await;

    world.delete::<WhatsAppNumber>(NUMBER_OBJECT).await;
    let second = world
        .until::<WhatsAppNumber>(NUMBER_OBJECT, "another one", |number| number.metadata.uid != first.metadata.uid)
        .await;
    assert_ne!(first.metadata.uid, second.metadata.uid);

    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let exclude = json!({"spec": {"import": {"numbers": {"exclude": ["+33612345678"]}}}});
    world.patch::<MetaApp>(INO, exclude).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.delete::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world.until_gone::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world.settle().await;
    assert!(world.names::<WhatsAppNumber>().await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn numbers_and_templates_with_an_authored_object_are_not_imported() {
    let world = World::running("import-authored", seed::small()).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.settle().await;
    assert_eq!(world.names::<WhatsAppNumber>().await, ["support"]);
    assert_eq!(world.names::<MessageTemplate>().await, ["shipped"]);
    world.finish().await;
}

#[tokio::test]
async fn an_authored_object_replaces_the_untouched_import() {
    let world = World::running("import-replaced", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let imported = imported_template(&world).await;

    world.create(&number("support", "+33612345678", json!({"directions": ["Incoming"]}))).await;
    world.create(&template("shipped", "order_shipped", json!({}))).await;
    world.until_gone::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world.until_gone::<MessageTemplate>(&imported).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MessageTemplate>("shipped", "Approved", "True/Approved").await;
    world.settle().await;
    assert_eq!(world.names::<WhatsAppNumber>().await, ["support"], "the import is not created again");
    world.finish().await;
}

#[tokio::test]
async fn an_imported_object_without_its_label_belongs_to_the_user() {
    let world = World::running("import-taken", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.patch::<WhatsAppNumber>(NUMBER_OBJECT, json!({"metadata": {"labels": {IMPORTED_BY: null}}})).await;

    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Conflict", "False/Conflict").await;
    world.settle().await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn an_edited_import_yields_to_an_authored_object_and_is_kept() {
    let world = World::running("import-edited", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.patch::<WhatsAppNumber>(NUMBER_OBJECT, json!({"spec": {"timeZone": "Europe/Paris"}})).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;

    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Conflict", "False/Conflict").await;
    world.settle().await;
    assert_eq!(world.names::<WhatsAppNumber>().await, [NUMBER_OBJECT, "support"]);
    world.finish().await;
}

#[tokio::test]
async fn an_imported_object_outlives_its_number_or_template_at_meta() {
    let world = World::running("import-gone", seed::small()).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let imported = imported_template(&world).await;
    world.until_phase::<MessageTemplate>(&imported, "Approved", "True/Approved").await;

    world.sim.delete(&format!("numbers/{NUMBER}")).await.unwrap();
    world.sim.delete(&format!("templates/{}", seed::TEMPLATE)).await.unwrap();
    let gone = world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "NotFound", "False/NotFound").await;
    assert_eq!(gone.status.unwrap().phone_number_id.as_deref(), Some(NUMBER), "the last values stay");
    let gone = world.until_phase::<MessageTemplate>(&imported, "NotFound", "False/NotFound").await;
    assert_eq!(gone.status.unwrap().sendable, Some(false));
    world.settle().await;
    world.finish().await;
}

/// What an import cannot make objects for stops nothing else.
#[tokio::test]
async fn a_template_whose_language_no_object_can_have_is_listed_once_and_stops_nothing() {
    let mut seed = seed::small();
    let odd = "594425479261999";
    seed::push(&mut seed, "templates", seed::template(odd, ACCOUNT, "greeting", "zh_Hant_TW"));
    let world = World::running("import-unfit", seed).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    imported_template(&world).await;
    let listed = |app: &MetaApp| {
        let (state, message) = condition(app, "AccountsSynced")?;
        Some((state, message.matches("greeting (zh_Hant_TW)").count(), message.contains("(1 in all)")))
    };
    let synced = |times| Some(("True/Synced".to_owned(), times, times == 1));
    world.until::<MetaApp>(INO, "it is listed", |app| listed(app) == synced(1)).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(world.names::<MessageTemplate>().await.len(), 1);

    // Excluded, it is no news; nor is it when it is gone.
    let exclude = |rules: serde_json::Value| json!({"spec": {"import": {"templates": {"exclude": rules}}}});
    world.patch::<MetaApp>(INO, exclude(json!([{"name": "greeting"}]))).await;
    world.until::<MetaApp>(INO, "it is excluded", |app| listed(app) == synced(0)).await;
    world.patch::<MetaApp>(INO, exclude(json!([]))).await;
    world.until::<MetaApp>(INO, "it is listed again", |app| listed(app) == synced(1)).await;
    world.sim.delete(&format!("templates/{odd}")).await.unwrap();
    world.until::<MetaApp>(INO, "it is gone", |app| listed(app) == synced(0)).await;
    world.finish().await;
}

#[tokio::test]
async fn a_quota_names_itself_and_its_failure_ends_with_the_cause() {
    const OTHER: &str = "106540352242940";
    let mut seed = seed::small();
    seed::push(&mut seed, "numbers", seed::number(OTHER, ACCOUNT, "+33 6 98 76 54 32"));
    let world = World::running("import-quota", seed).await;
    let quotas = Api::<ResourceQuota>::namespaced(world.client.clone(), &world.namespace);
    let hard = json!({"count/whatsappnumbers.waba.dev": "0"});
    let quota = json!({"metadata": {"name": "few-objects"}, "spec": {"hard": hard}});
    quotas.create(&PostParams::default(), &serde_json::from_value(quota).unwrap()).await.unwrap();
    // There is nobody here who counts.
    let counted = json!({"status": {"hard": hard, "used": hard}});
    quotas.patch_status("few-objects", &PatchParams::default(), &Patch::Merge(counted)).await.unwrap();
    world.create(&importing()).await;
    let fails = async || {
        let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/ImportFailed").await;
        assert!(
            message.contains("ResourceQuota few-objects") && message.contains("resourcequota few-objects"),
            "{message}"
        );
    };
    fails().await;
    imported_template(&world).await;

    let exclude = |numbers: serde_json::Value| json!({"spec": {"import": {"numbers": {"exclude": numbers}}}});
    world.patch::<MetaApp>(INO, exclude(json!(["+33612345678", "+33698765432"]))).await;
    world.until_condition::<MetaApp>(INO, "AccountsSynced", "True/Synced").await;
    world.patch::<MetaApp>(INO, exclude(json!(["+33612345678"]))).await;
    fails().await;
    world.sim.delete(&format!("numbers/{OTHER}")).await.unwrap();
    world.until_condition::<MetaApp>(INO, "AccountsSynced", "True/Synced").await;
    world.finish().await;
}

/// A claim counts for the account that it names: a wrong one neither displaces the object of the living line nor adds the number
/// a second time.
#[tokio::test]
async fn an_object_with_the_wrong_account_displaces_no_import() {
    let world = World::running("import-account", seed::two_accounts()).await;
    world.create(&importing()).await;
    let first = world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let listed = first.status.as_ref().unwrap().business_accounts.iter().map(|account| account.id.as_str());
    assert_eq!(listed.collect::<Vec<_>>(), [ACCOUNT]);
    world.until_phase::<WhatsAppNumber>("number-33184882020", "Enabled", "True/Enabled").await;

    let wrong = json!({"businessAccountID": ACCOUNT_2, "provisioning": "AddIfMissing", "requestedName": "INO Support"});
    world.create(&number("wrong", "+33612345678", wrong)).await;
    let wrong = world.until_phase::<WhatsAppNumber>("wrong", "NotFound", "False/InvalidSpec").await;
    let (_, message) = condition(&wrong, "Ready").unwrap();
    assert!(message.contains(ACCOUNT) && message.contains("cannot be changed"), "{message}");
    assert!(!message.contains("AddIfMissing"), "{message}");
    world.settle().await;
    world.until_polled(ACCOUNT, 3).await;
    let now = world.get::<WhatsAppNumber>(NUMBER_OBJECT).await.unwrap();
    assert_eq!(now.metadata.uid, first.metadata.uid, "the import of the living line stays");
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let calls = world.sim.calls(0).await.unwrap();
    let added = calls
        .iter()
        .filter(|call| call["method"] == "POST" && call["path"].as_str().unwrap().ends_with("phone_numbers"));
    assert_eq!(added.count(), 0, "nothing is added");

    // Nor does it keep the line from being imported.
    world.delete::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world
        .until::<WhatsAppNumber>(NUMBER_OBJECT, "another one", |number| number.metadata.uid != first.metadata.uid)
        .await;
    world.finish().await;
}
