//! Stands in for the operator and the simulator in the tests of `up` and `down`: `crds` prints a definition, anything else
//! answers 200 to every request at the address in `--listen=`.

use std::io::{Read, Write};
use std::net::TcpListener;

const CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tries.stand-in.test}
spec:
  group: stand-in.test
  scope: Namespaced
  names: {plural: tries, singular: try, kind: Try}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "crds") {
        print!("{CRD}");
        return Ok(());
    }
    let address = arguments.iter().find_map(|argument| argument.strip_prefix("--listen="));
    let listener = TcpListener::bind(address.unwrap_or_default())?;
    for connection in listener.incoming() {
        let mut connection = connection?;
        // The requests are small enough to come in one piece; what they ask for does not matter.
        let _ = connection.read(&mut [0; 4096])?;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]")?;
    }
    Ok(())
}
