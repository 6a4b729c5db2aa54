//! What people copy works: every manifest under `examples/`, and every manifest in `README.md` and `docs/`, is accepted by a real
//! API server under strict validation; manifests of other projects' kinds are parsed, and what they point to is there.
//!
//! A file that is none of this fails the test: nobody would notice when it goes stale.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{ConfigMap, Namespace, Secret, ServiceAccount},
    rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use waba_operator::api::{MessageTemplate, MetaApp, WhatsAppNumber, crds};

/// Kinds of other projects: parsed only, since their definitions are not ours to install.
const FOREIGN: [(&str, &str); 7] = [
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
    ("kustomize.config.k8s.io/v1alpha1", "Component"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ("source.toolkit.fluxcd.io/v1", "GitRepository"),
    ("argoproj.io/v1alpha1", "Application"),
    ("external-secrets.io/v1", "ExternalSecret"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
];

/// Where policies are.
const ADMISSION: &str = "admissionregistration.k8s.io/v1";

/// Where rights are.
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// The simulator's world, which is no manifest.
const SEED: &str = "demo-seed.yaml";

/// Where manifests without a namespace go, as they go to kubectl's current one.
const CURRENT: &str = "current";

/// One document of one file.
struct Manifest {
    source: String,
    body: Value,
}

impl Manifest {
    fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.text("/kind")
    }

    fn namespace(&self) -> &str {
        Some(self.text("/metadata/namespace")).filter(|namespace| !namespace.is_empty()).unwrap_or(CURRENT)
    }

    fn is_foreign(&self) -> bool {
        FOREIGN.contains(&(self.text("/apiVersion"), self.kind()))
    }

    /// How the API server calls the kind, and whether it lives in a namespace.
    fn resource(&self) -> (ApiResource, bool) {
        match (self.text("/apiVersion"), self.kind()) {
            ("v1", "Namespace") => (ApiResource::erase::<Namespace>(&()), false),
            ("v1", "Secret") => (ApiResource::erase::<Secret>(&()), true),
            ("v1", "ConfigMap") => (ApiResource::erase::<ConfigMap>(&()), true),
            (ADMISSION, "ValidatingAdmissionPolicy") => (ApiResource::erase::<ValidatingAdmissionPolicy>(&()), false),
            (ADMISSION, "ValidatingAdmissionPolicyBinding") => {
                (ApiResource::erase::<ValidatingAdmissionPolicyBinding>(&()), false)
            }
            ("v1", "ServiceAccount") => (ApiResource::erase::<ServiceAccount>(&()), true),
            (RBAC, "ClusterRole") => (ApiResource::erase::<ClusterRole>(&()), false),
            (RBAC, "ClusterRoleBinding") => (ApiResource::erase::<ClusterRoleBinding>(&()), false),
            (RBAC, "Role") => (ApiResource::erase::<Role>(&()), true),
            (RBAC, "RoleBinding") => (ApiResource::erase::<RoleBinding>(&()), true),
            ("waba.dev/v1alpha1", "MetaApp") => (ApiResource::erase::<MetaApp>(&()), true),
            ("waba.dev/v1alpha1", "WhatsAppNumber") => (ApiResource::erase::<WhatsAppNumber>(&()), true),
            ("waba.dev/v1alpha1", "MessageTemplate") => (ApiResource::erase::<MessageTemplate>(&()), true),
            unknown => panic!("{}: nobody tries {unknown:?}", self.source),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

fn parsed(source: &str, text: &str) -> Vec<Manifest> {
    let documents = text.split("\n---\n").map(|document| {
        let body = serde_yaml::from_str(document).unwrap_or_else(|error| panic!("{source}: {error}"));
        Manifest { source: source.to_owned(), body }
    });
    documents.collect()
}

fn read(path: &Path) -> Vec<Manifest> {
    parsed(&path.strip_prefix(root()).unwrap().display().to_string(), &fs::read_to_string(path).unwrap())
}

fn is_kustomized(path: &Path) -> bool {
    path.with_file_name("kustomization.yaml").is_file()
}

/// The page of a folder of examples, as other pages are: its manifests count as documentation.
fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The folder's manifests as kubectl, Flux and Argo CD see them; a file that its kustomization leaves out is an error.
fn rendered(folder: &Path) -> Vec<Manifest> {
    let kustomization = &read(&folder.join("kustomization.yaml"))[0];
    let listed =
        kustomization.body["resources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
    let mut listed: BTreeSet<String> = listed.collect();
    assert!(listed.insert("kustomization.yaml".to_owned()));
    let there = below(folder).iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect();
    assert_eq!(listed, there, "{} lists every file of its folder", kustomization.source);

    let kubectl = control_plane::binary("kubectl").unwrap();
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    parsed(&kustomization.source, &String::from_utf8(output.stdout).unwrap())
}

/// Every manifest under `examples/`.
fn examples() -> Vec<Manifest> {
    let files = below(&root().join("examples"));
    let plain = files.iter().filter(|path| !path.ends_with(SEED) && !is_kustomized(path) && !is_page(path));
    let kustomizations = files.iter().filter(|path| path.ends_with("kustomization.yaml"));
    // tests/gitops.rs tries the component.
    let folders =
        kustomizations.filter(|path| read(path)[0].kind() == "Kustomization").map(|path| path.parent().unwrap());
    plain.flat_map(|path| read(path)).chain(folders.flat_map(rendered)).collect()
}

/// The blocks of YAML in the documentation that are whole manifests.
fn documented() -> Vec<Manifest> {
    let examples = below(&root().join("examples")).into_iter().filter(|path| is_page(path));
    let pages = std::iter::once(root().join("README.md")).chain(below(&root().join("docs"))).chain(examples);
    let blocks = pages.flat_map(|page| {
        let source = page.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned());
        blocks
            .filter(|block| block.starts_with("apiVersion:"))
            .map(move |block| (source.clone(), block))
            .collect::<Vec<_>>()
    });
    blocks.flat_map(|(source, block)| parsed(&source, &block)).collect()
}

/// As `kubectl apply --server-side --validate=strict` does.
async fn apply(client: &Client, manifest: &Manifest) -> Result<(), String> {
    let (resource, namespaced) = manifest.resource();
    let api: Api<DynamicObject> = if namespaced {
        Api::namespaced_with(client.clone(), manifest.namespace(), &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let parameters = PatchParams::apply("examples").force().validation_strict();
    let name = manifest.text("/metadata/name");
    let applied = api.patch(name, &parameters, &Patch::Apply(&manifest.body)).await;
    applied.map(drop).map_err(|error| format!("{}, {} {name}: {error}", manifest.source, manifest.kind()))
}

async fn namespace(client: &Client, name: &str) {
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    apply(client, &Manifest { source: "the test".to_owned(), body }).await.unwrap();
}

#[tokio::test]
async fn every_manifest_is_accepted() {
    let plane = control_plane::shared().await;
    let client = plane.client();
    let definitions: Vec<_> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    plane.apply_crds(&definitions).await.unwrap();

    let manifests: Vec<_> = examples().into_iter().chain(documented()).filter(|m| !m.is_foreign()).collect();
    for name in manifests.iter().map(Manifest::namespace).collect::<BTreeSet<_>>() {
        namespace(&client, name).await;
    }
    let mut refused = Vec::new();
    for manifest in &manifests {
        refused.extend(apply(&client, manifest).await.err());
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));

    let kinds: BTreeSet<_> = manifests.iter().map(Manifest::kind).collect();
    for kind in ["MetaApp", "WhatsAppNumber", "MessageTemplate", "Secret"] {
        assert!(kinds.contains(kind), "no example of a {kind}");
    }
}

/// A number whose messages go there, by the verify token in that Secret.
fn calls_back(namespace: &str, name: &str, secret: &str, url: &str) -> Manifest {
    let webhook = json!({"callbackURL": url, "verifyTokenRef": {"name": secret, "key": "token"}});
    let spec = json!({"appRef": {"name": "ino-cx"}, "phoneNumber": "+33612345678", "directions": ["Incoming"],
        "incoming": {"webhook": webhook}});
    let metadata = json!({"name": name, "namespace": namespace});
    let body = json!({"apiVersion": "waba.dev/v1alpha1", "kind": "WhatsAppNumber", "metadata": metadata, "spec": spec});
    Manifest { source: "the test".to_owned(), body }
}

#[tokio::test]
async fn the_policy_for_callbacks_keeps_secrets_and_hosts_to_those_it_names() {
    let plane = control_plane::shared().await;
    let client = plane.client();
    let definitions: Vec<_> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    plane.apply_crds(&definitions).await.unwrap();
    namespace(&client, "free").await;
    let labels = json!({"name": "bound", "labels": {"whatsapp-callbacks": "restricted"}});
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": labels});
    apply(&client, &Manifest { source: "the test".to_owned(), body }).await.unwrap();
    let (ours, theirs, named) = ("https://hooks.example.com/wa?a=b", "https://hooks.example.net/", "wa-verify-support");
    // It was there before the policy.
    apply(&client, &calls_back("bound", "old", "anything", theirs)).await.unwrap();
    let policies = documented().into_iter().filter(|manifest| manifest.text("/apiVersion") == ADMISSION);
    let policies: Vec<_> = policies.collect();
    assert_eq!(policies.len(), 2, "the policy and its binding");
    for policy in &policies {
        apply(&client, policy).await.unwrap();
    }

    // The API server takes a moment to heed a new policy.
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let mut tried = 0;
    while apply(&client, &calls_back("bound", &format!("probe-{tried}"), "anything", theirs)).await.is_ok() {
        assert!(std::time::Instant::now() < deadline, "nothing is refused");
        tried += 1;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    for (namespace, secret, url, refused) in [
        ("bound", named, ours, ""),
        ("bound", "ino-cx-token", ours, "begins with wa-verify-"),
        ("bound", named, theirs, "has to be at hooks.example.com"),
        ("bound", named, "https://hooks.example.com@hooks.example.net/", "has to be at hooks.example.com"),
        ("bound", named, "https://hooks.example.com.example.net/", "has to be at hooks.example.com"),
        ("free", "ino-cx-token", theirs, ""),
    ] {
        let applied = apply(&client, &calls_back(namespace, "new", secret, url)).await;
        let told = applied.err().unwrap_or_default();
        assert!(told.contains(refused) && told.is_empty() == refused.is_empty(), "{secret} {url}: {told:?}");
    }
    // What leaves the spec alone passes, as the operator's finalizer does.
    let mut old = calls_back("bound", "old", "anything", theirs);
    old.body["metadata"]["finalizers"] = json!(["waba.dev/deregister"]);
    apply(&client, &old).await.unwrap();
}

/// The Secrets that there are, or that External Secrets makes: namespace, name and keys.
fn secrets(manifests: &[Manifest]) -> BTreeSet<(String, String, String)> {
    let keys = |manifest: &Manifest| -> Vec<String> {
        match manifest.kind() {
            "Secret" => manifest.body["stringData"].as_object().unwrap().keys().cloned().collect(),
            "ExternalSecret" => {
                let data = manifest.body["spec"]["data"].as_array().unwrap().iter();
                data.map(|entry| entry["secretKey"].as_str().unwrap().to_owned()).collect()
            }
            _ => Vec::new(),
        }
    };
    let name = |manifest: &Manifest| {
        let pointer = if manifest.kind() == "Secret" { "/metadata/name" } else { "/spec/target/name" };
        manifest.text(pointer).to_owned()
    };
    let entries = manifests.iter().flat_map(|manifest| {
        keys(manifest).into_iter().map(|key| (manifest.namespace().to_owned(), name(manifest), key))
    });
    entries.collect()
}

/// Whether objects of that namespace may refer to the app.
fn lets_in(manifests: &[Manifest], app_namespace: &str, app: &str, namespace: &str) -> bool {
    let find = |kind: &str, fits: &dyn Fn(&Manifest) -> bool| manifests.iter().find(|m| m.kind() == kind && fits(m));
    let app = find("MetaApp", &|m| m.namespace() == app_namespace && m.text("/metadata/name") == app).unwrap();
    if namespace == app_namespace || app.text("/spec/allowedNamespaces/from") == "All" {
        return true;
    }
    let labels = find("Namespace", &|m| m.text("/metadata/name") == namespace).map(|m| &m.body["metadata"]["labels"]);
    let wanted = app.body.pointer("/spec/allowedNamespaces/selector/matchLabels").and_then(Value::as_object);
    wanted.is_some_and(|wanted| wanted.iter().all(|(label, value)| labels.is_some_and(|have| have[label] == *value)))
}

#[test]
fn what_an_example_refers_to_is_there() {
    let manifests = examples();
    let named = |kind: &str, namespace: &str, name: &str| {
        manifests.iter().any(|m| m.kind() == kind && m.namespace() == namespace && m.text("/metadata/name") == name)
    };
    let secrets = secrets(&manifests);
    for manifest in &manifests {
        let source = &manifest.source;
        match manifest.kind() {
            "MetaApp" => {
                for reference in ["appSecretRef", "accessTokenRef", "bindingTokenRef"] {
                    if manifest.body["spec"].get(reference).is_none() {
                        continue;
                    }
                    let part = |part: &str| manifest.text(&format!("/spec/{reference}/{part}")).to_owned();
                    let key = (manifest.namespace().to_owned(), part("name"), part("key"));
                    assert!(secrets.contains(&key), "{source}: {reference} names {key:?}, of {secrets:?}");
                }
            }
            "WhatsAppNumber" | "MessageTemplate" => {
                let app = manifest.text("/spec/appRef/name");
                let namespace = Some(manifest.text("/spec/appRef/namespace")).filter(|namespace| !namespace.is_empty());
                let namespace = namespace.unwrap_or(manifest.namespace());
                assert!(named("MetaApp", namespace, app), "{source}: there is no MetaApp {app} in {namespace}");
                assert!(
                    lets_in(&manifests, namespace, app, manifest.namespace()),
                    "{source}: {app} does not let it in"
                );
            }
            "Kustomization" | "Application" => {
                let path = ["/spec/path", "/spec/source/path"].map(|pointer| manifest.text(pointer)).concat();
                assert!(
                    root().join(&path).join("kustomization.yaml").is_file(),
                    "{source}: nothing to apply in {path}"
                );
                let repository = manifest.text("/spec/sourceRef/name");
                let known =
                    manifest.kind() == "Application" || named("GitRepository", manifest.namespace(), repository);
                assert!(known, "{source}: there is no GitRepository {repository}");
            }
            _ => {}
        }
    }
    let documented = documented();
    let applied = FOREIGN.iter().filter(|(version, _)| !version.starts_with("kustomize.config"));
    for (version, kind) in applied {
        let used = manifests.iter().chain(&documented).any(|m| m.text("/apiVersion") == *version && m.kind() == *kind);
        assert!(used, "no example has a {kind} of {version}: take it out of the list");
    }
}

/// A person who follows the README meets the demo estate: what the examples name must be in it.
#[test]
fn the_examples_fit_the_demo_estate() {
    let seed = &read(&root().join("examples").join(SEED))[0].body;
    let holds = |list: &str, wanted: &[(&str, &str)]| {
        let entries = seed[list].as_array().unwrap().iter();
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let same = |have: &Value, field: &str, want: &str| match field {
            "display_phone_number" => digits(have.as_str().unwrap_or_default()) == digits(want),
            _ => have == want,
        };
        entries.filter(|entry| wanted.iter().all(|(field, want)| same(&entry[*field], field, want))).count() == 1
    };
    for manifest in examples() {
        let text = |pointer: &str| manifest.text(pointer);
        let found = match manifest.kind() {
            "Secret" => {
                holds("apps", &[("secret", text("/stringData/app-secret"))])
                    && holds("tokens", &[("token", text("/stringData/access-token"))])
                    && holds("tokens", &[("token", text("/stringData/messaging-token"))])
            }
            "MetaApp" => holds("apps", &[("id", text("/spec/appID"))]),
            "WhatsAppNumber" => {
                let known = holds("numbers", &[("display_phone_number", text("/spec/phoneNumber"))]);
                // A number that is to be added is not there yet; its account is.
                let added = || !known && holds("accounts", &[("id", text("/spec/businessAccountID"))]);
                if text("/spec/provisioning") == "AddIfMissing" { added() } else { known }
            }
            "MessageTemplate" => holds(
                "templates",
                &[
                    ("account", text("/spec/businessAccountID")),
                    ("name", text("/spec/templateName")),
                    ("language", text("/spec/language")),
                ],
            ),
            _ => true,
        };
        assert!(found, "{} of {} is not in the demo estate", manifest.kind(), manifest.source);
    }
}

/// What people copy is safe: an application does not get the token that manages numbers.
#[test]
fn a_binding_of_an_example_has_a_token_of_its_own() {
    let manifests = examples();
    let bound = manifests.iter().filter(|m| m.body["spec"].get("binding").is_some());
    let apps: BTreeSet<_> = bound.map(|number| number.text("/spec/appRef/name")).collect();
    assert!(apps.contains("ino-cx"), "{apps:?}");
    for app in manifests.iter().filter(|m| m.kind() == "MetaApp" && apps.contains(m.text("/metadata/name"))) {
        let (managing, handed_out) = (&app.body["spec"]["accessTokenRef"], &app.body["spec"]["bindingTokenRef"]);
        assert!(handed_out.is_object() && handed_out != managing, "{}: {handed_out}", app.source);
    }
    let seed = &read(&root().join("examples").join(SEED))[0].body;
    let credentials = manifests.iter().find(|m| m.body["stringData"].get("messaging-token").is_some()).unwrap();
    let token = credentials.text("/stringData/messaging-token");
    let token = seed["tokens"].as_array().unwrap().iter().find(|known| known["token"] == token).unwrap();
    assert_eq!(token["scopes"], json!(["whatsapp_business_messaging"]));
}

/// A binding without its role gives no right, and nobody notices before the first refusal.
#[test]
fn what_a_binding_of_the_documentation_names_is_there() {
    let manifests = documented();
    let there = |kind: &str, name: &str, namespace: &str| {
        manifests.iter().any(|m| {
            let fits = m.kind() == kind && m.text("/metadata/name") == name;
            fits && (namespace.is_empty() || m.namespace() == namespace)
        })
    };
    let mut bindings = 0;
    for binding in manifests.iter().filter(|m| m.kind().ends_with("RoleBinding")) {
        bindings += 1;
        let (kind, name) = (binding.text("/roleRef/kind"), binding.text("/roleRef/name"));
        let namespace = if kind == "Role" { binding.namespace() } else { "" };
        assert!(there(kind, name, namespace), "{}: there is no {kind} {name}", binding.source);
        for subject in binding.body["subjects"].as_array().unwrap() {
            let part = |part: &str| subject[part].as_str().unwrap_or_default();
            let known = part("kind") != "ServiceAccount" || there("ServiceAccount", part("name"), part("namespace"));
            assert!(known, "{}: there is no {subject}", binding.source);
        }
    }
    assert!(bindings >= 3, "{bindings} bindings");
}
