use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde::Deserialize;

use crate::{Error, ready};

/// Applies the definitions and waits until each of their served versions answers.
pub(crate) async fn apply(client: &Client, crds: &[serde_json::Value]) -> Result<(), Error> {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let apply = PatchParams::apply("control-plane").force();
    for crd in crds {
        let name = CustomResourceDefinition::deserialize(crd)?.name_any();
        // As given: a field that our types do not know is the API server's to judge.
        let applied = api.patch(&name, &apply, &Patch::Apply(crd)).await?;
        if let Err(error) = served(client, &applied).await {
            return Err(with_conditions(error, &api.get_status(&name).await?));
        }
    }
    Ok(())
}

async fn served(client: &Client, crd: &CustomResourceDefinition) -> Result<(), Error> {
    let spec = &crd.spec;
    for version in spec.versions.iter().filter(|version| version.served) {
        let path = format!("/apis/{}/{}/{}?limit=1", spec.group, version.name, spec.names.plural);
        let what = format!("serving {path}");
        ready::until(&what, || Ok(String::new()), async || ready::answered(client, &path).await).await?;
    }
    Ok(())
}

/// The definition's conditions say what the API server dislikes, for example a name that another definition has.
fn with_conditions(error: Error, crd: &CustomResourceDefinition) -> Error {
    let Error::TimedOut { what, seconds, .. } = error else { return error };
    let conditions = crd.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let detail: Vec<_> = conditions
        .map(|condition| {
            format!("{}={}: {}", condition.type_, condition.status, condition.message.as_deref().unwrap_or_default())
        })
        .collect();
    Error::TimedOut { what, seconds, detail: detail.join("; ") }
}
