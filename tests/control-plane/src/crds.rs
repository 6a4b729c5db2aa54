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
        served(client, &applied).await?;
    }
    Ok(())
}

async fn served(client: &Client, crd: &CustomResourceDefinition) -> Result<(), Error> {
    let spec = &crd.spec;
    for version in spec.versions.iter().filter(|version| version.served) {
        let path = format!("/apis/{}/{}/{}?limit=1", spec.group, version.name, spec.names.plural);
        let what = format!("serving {path}");
        let detail = || Ok(format!("see the conditions of {}", crd.name_any()));
        ready::until(&what, detail, async || ready::answered(client, &path).await).await?;
    }
    Ok(())
}
