//! A person who only copies the commands from the messages brings a number from unverified to enabled.

use serde_json::json;
use waba_operator::api::WhatsAppNumber;

use crate::harness::{
    manifests::number,
    scenario::{OUR_PINS, PHONE, SUPPORT, registration_with_pin_ref, verified_number},
    seed::NUMBER,
    world::{World, condition},
};

const RIGHT: &str = "590218";
const WRONG: &str = "218059";

impl World {
    /// Waits for the condition, then runs the command in its message that contains `words`, with `open` (a placeholder)
    /// replaced by `value`.
    async fn run_command_of(&self, type_: &str, wanted: &str, words: &str, (open, value): (&str, &str)) {
        self.until_message(type_, wanted, &[words]).await;
        let number = self.get::<WhatsAppNumber>(SUPPORT).await.unwrap();
        let (_, message) = condition(&number, type_).unwrap();
        let command = message.lines().find(|line| line.starts_with("kubectl -n ") && line.contains(words));
        let command = command.unwrap_or_else(|| panic!("no {words} in {message}")).replace(open, value);
        let kubectl = control_plane::binary("kubectl").unwrap();
        let path = format!("{}:{}", kubectl.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let kubeconfig = control_plane::shared().await.kubeconfig();
        let run = move || {
            let mut bash = std::process::Command::new("bash");
            bash.args(["-o", "pipefail", "-c", &command]).env("PATH", path).env("KUBECONFIG", kubeconfig);
            (bash.output().unwrap(), command)
        };
        let (output, command) = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn commands_in_messages_work_when_copied() {
    let seed = verified_number(json!({"code_verification_status": "NOT_VERIFIED", "pin": RIGHT}));
    let mut world = World::connected("copied", seed).await;
    world.tracked_secrets.extend([RIGHT.to_owned(), WRONG.to_owned()]);
    let mut blocks = registration_with_pin_ref();
    blocks["suspend"] = json!(true);
    world.create(&number(SUPPORT, PHONE, blocks)).await;
    let nothing = ("no call is open", "");
    world.run_command_of("Suspended", "True/Suspended", "patch wan", nothing).await;
    world.run_command_of("Ready", "False/NotVerified", "patch wan", nothing).await;
    world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
    let code = world.sent_code(NUMBER).await;
    world
        .run_command_of("Ready", "False/AwaitingCode", "create secret generic support-code", ("YOUR_CODE", &code))
        .await;
    world.run_command_of("Ready", "False/SecretNotFound", "create secret generic our-pins", ("YOUR_PIN", WRONG)).await;
    world.put_secret(OUR_PINS, &[("sales", "another number's")]).await;
    world.run_command_of("Ready", "False/PINRefused", "patch secret our-pins", ("YOUR_PIN", RIGHT)).await;
    world.until_enabled().await;
    assert!(world.secret_value(OUR_PINS, "sales").await.is_some(), "the Secret's other keys stay");
    world.finish().await;
}
