//! Keys, certificates and the administrator's kubeconfig.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use serde_json::json;

use crate::Error;
use crate::error::Context;

/// Writes what the API server needs to serve and to know its administrator, and what the administrator needs to reach it.
pub(crate) fn write(folder: &Path, apiserver_port: u16) -> Result<(), Error> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "control-plane");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut server = CertificateParams::new(["localhost".to_owned()])?;
    server.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let server_key = KeyPair::generate()?;
    let server = server.signed_by(&server_key, &authority)?;
    let accounts_key = KeyPair::generate()?;

    let token = hex::encode(rand::random::<[u8; 16]>());
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "control-plane", "cluster": {
            "server": format!("https://127.0.0.1:{apiserver_port}"),
            "certificate-authority": folder.join("ca.crt"),
        }}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "control-plane", "context": {"cluster": "control-plane", "user": "admin"}}],
        "current-context": "control-plane",
    });

    for (name, content) in [
        ("ca.crt", authority.pem()),
        ("apiserver.crt", server.pem()),
        ("apiserver.key", server_key.serialize_pem()),
        ("service-account.key", accounts_key.serialize_pem()),
        ("service-account.pub", accounts_key.public_key_pem()),
        ("tokens.csv", format!("{token},admin,admin,system:masters\n")),
        ("kubeconfig", format!("{kubeconfig:#}\n")),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
