//! Profiles: read and written in part, and normalised by Meta.

use serde_json::{Value, json};
use waba_operator::graph::types::Profile;
use waba_operator::graph::{Class, Outcome};

use super::{CONNECTED, Scene, VERIFIED, error, name};
use crate::support::{WABA, access};

async fn read(scene: &Scene) -> Profile {
    scene.world.client.read_profile(&access(), WABA, CONNECTED).await.unwrap()
}

async fn write(scene: &Scene, fields: Value) -> Outcome<()> {
    scene.world.client.write_profile(&access(), WABA, CONNECTED, fields).await
}

fn texts(values: &[&str]) -> Vec<Box<str>> {
    values.iter().map(|value| Box::from(*value)).collect()
}

/// What Meta shows where nothing was written.
fn unwritten() -> Profile {
    Profile { vertical: Some("UNDEFINED".into()), ..Profile::default() }
}

#[tokio::test]
async fn an_unwritten_profile_is_empty() {
    let scene = Scene::new().await;
    assert_eq!(read(&scene).await, unwritten());
    let calls = scene.world.calls().await;
    assert_eq!(calls.len(), 1);
    let path = format!("/v25.0/{CONNECTED}/whatsapp_business_profile");
    assert_eq!((&calls[0]["method"], &calls[0]["path"]), (&json!("GET"), &json!(path)));
    assert_eq!(calls[0]["query"]["fields"], "about,address,description,email,websites,vertical", "by name");
}

#[tokio::test]
async fn only_the_given_fields_are_written() {
    let scene = Scene::new().await;
    let first = json!({"about": "Here", "address": "1 rue de la Paix", "websites": ["https://INO.cx"], "vertical": ""});
    assert_eq!(name(&write(&scene, first).await), "Done");
    assert_eq!(name(&write(&scene, json!({"email": "Help@INO.cx", "address": ""})).await), "Done");
    let calls = scene.world.calls().await;
    assert_eq!(calls[1]["body"], json!({"messaging_product": "whatsapp", "email": "Help@INO.cx", "address": ""}));
    let expected = Profile {
        about: Some("Here".into()),
        email: Some("help@ino.cx".into()),
        websites: texts(&["https://ino.cx/"]),
        vertical: Some("UNDEFINED".into()),
        ..Profile::default()
    };
    assert_eq!(read(&scene).await, expected, "as Meta shows it");
    scene.world.assert_well_behaved().await;
}

#[tokio::test]
async fn a_profile_with_one_bad_field_is_refused_as_a_whole() {
    let scene = Scene::new().await;
    for fields in [json!({"address": "no", "about": ""}), json!({"address": "no", "websites": ["ino.cx"]})] {
        let outcome = write(&scene, fields.clone()).await;
        assert_eq!(name(&outcome), "Refused", "{fields}");
        let error = error(outcome);
        assert_eq!((error.code(), error.class()), (Some(100), Class::BadRequest), "{fields}");
    }
    assert_eq!(read(&scene).await, unwritten());
    let outcome = scene.world.client.write_profile(&access(), WABA, VERIFIED, json!({"about": "Soon"})).await;
    assert_eq!((name(&outcome), error(outcome).code()), ("Refused", Some(133_010)));
}

#[tokio::test]
async fn profiles_are_read_leniently() {
    let scene = Scene::new().await;
    let cases = [
        ("nothing but the product", json!({"data": [{"messaging_product": "whatsapp"}]}), Profile::default()),
        (
            "blank and unknown values",
            json!({"data": [{"about": "", "vertical": "SPACE_TRAVEL", "profile_picture_url": "https://cdn.example/"}]}),
            Profile { vertical: Some("SPACE_TRAVEL".into()), ..Profile::default() },
        ),
    ];
    for (reason, body, expected) in cases {
        scene.world.answer_once("/whatsapp_business_profile", body).await;
        assert_eq!(read(&scene).await, expected, "{reason}");
    }
}

#[tokio::test]
async fn an_unreadable_profile_is_not_an_empty_one() {
    let scene = Scene::new().await;
    let cases = [
        ("an error with a status of success", json!({"error": {"code": 10, "message": "(#10)"}}), Class::Permission),
        ("no object", json!([]), Class::Transient),
    ];
    for (reason, body, expected) in cases {
        scene.clear().await;
        scene.world.fault(json!({"path": "/whatsapp_business_profile", "before": {"body": body}})).await;
        let error = scene.world.client.read_profile(&access(), WABA, CONNECTED).await.unwrap_err();
        assert_eq!(error.class(), expected, "{reason}");
        let tries = if expected == Class::Transient { 3 } else { 1 };
        assert_eq!(scene.world.calls().await.len(), tries, "{reason}: reads are tried again, refusals are not");
    }
}

#[tokio::test]
async fn a_profile_in_another_shape_is_unknown() {
    let scene = Scene::new().await;
    for body in
        [json!({}), json!({"data": []}), json!({"data": ["about"]}), json!({"data": [{"more": {"about": "a"}}]})]
    {
        scene.world.answer_once("/whatsapp_business_profile", body.clone()).await;
        assert_eq!(read(&scene).await.unreadable.len(), 6, "{body}");
    }
}
