//! A proxy between an operator and the API server that can stop a request at an exact point.
//!
//! It is not a fake: it forwards every request to the real API server, and every reply, watches included, comes from
//! there. The operator needs no credentials, because the gate uses those that it was started with.

use std::{
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::AsFd,
    path::PathBuf,
    sync::{Arc, Mutex, Weak},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::{HeaderMap, Method, header, request::Parts},
    response::{IntoResponse, Response},
    serve::IncomingStream,
};
use futures::StreamExt;
use kube::Client;
use regex::Regex;
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::harness::operator::in_time;

/// Headers that concern one connection only.
const OF_A_CONNECTION: [header::HeaderName; 5] =
    [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::TE, header::UPGRADE];

/// A request as the gate received it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRequest {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: String,
}

/// Where a request is held.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Before,
    After,
}

/// Which request is to be held, and where.
#[derive(Debug)]
pub struct Hold {
    name: String,
    kind: Kind,
    at: At,
}

impl Hold {
    /// Holds the next matching request before it reaches the API server. `method` is a regular expression for the whole
    /// method (`PUT|PATCH`), `path` one for any part of the path.
    pub fn before(name: &str, method: &str, path: &str) -> Self {
        Self { name: name.to_owned(), kind: Kind::new(method, path), at: At::Before }
    }

    /// Holds the reply to the next matching request that the API server has carried out.
    pub fn after(name: &str, method: &str, path: &str) -> Self {
        Self { at: At::After, ..Self::before(name, method, path) }
    }

    /// Matches only a request whose query contains this regular expression.
    pub fn query(mut self, query: &str) -> Self {
        self.kind.query = Some(Regex::new(query).unwrap());
        self
    }

    /// Matches only a request whose body contains this regular expression.
    pub fn body(mut self, body: &str) -> Self {
        self.kind.body = Some(Regex::new(body).unwrap());
        self
    }
}

/// Matches requests.
#[derive(Debug)]
struct Kind {
    method: Regex,
    path: Regex,
    query: Option<Regex>,
    body: Option<Regex>,
}

impl Kind {
    fn new(method: &str, path: &str) -> Self {
        let method = Regex::new(&format!("^(?:{method})$")).unwrap();
        Self { method, path: Regex::new(path).unwrap(), query: None, body: None }
    }

    fn has(&self, request: &SeenRequest) -> bool {
        let has = |wanted: &Option<Regex>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted.is_match(text));
        self.method.is_match(&request.method)
            && self.path.is_match(&request.path)
            && has(&self.query, &request.query)
            && has(&self.body, &request.body)
    }
}

/// The state of a hold.
#[derive(Debug)]
enum Stage {
    Waiting,
    Reached(SeenRequest),
    Released,
    Refused,
}

/// The replies that are still to be dropped.
struct Drops {
    kind: Kind,
    left: usize,
}

struct Inner {
    apiserver: Client,
    frozen: watch::Sender<Option<Regex>>,
    holds: Mutex<Vec<(Hold, watch::Sender<Stage>)>>,
    drops: Mutex<Vec<Drops>>,
    writes: Mutex<Vec<SeenRequest>>,
}

/// A running gate. When it is dropped, it forwards nothing more and refuses what it holds.
pub struct Gate {
    address: SocketAddr,
    folder: TempDir,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Gate {
    /// Starts one with the permissions of `config` at the API server.
    pub async fn start(mut config: kube::Config) -> Self {
        // The gate does not retry: that is the operator's decision.
        config.default_retry = false;
        let inner = Arc::new(Inner {
            apiserver: Client::try_from(config).unwrap(),
            frozen: watch::Sender::new(None),
            holds: Mutex::default(),
            drops: Mutex::default(),
            writes: Mutex::default(),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::downgrade(&inner));
        let serving = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<Connection>();
            axum::serve(listener, service).await.unwrap();
        });
        Self { address, folder: tempfile::tempdir().unwrap(), inner, serving }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The client configuration of an operator in this process that connects through the gate.
    pub fn config(&self) -> kube::Config {
        kube::Config::new(self.url().parse().unwrap())
    }

    /// The kubeconfig of an operator program that connects through the gate. The file exists as long as the gate.
    pub fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("kubeconfig");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "gate",
            "clusters": [{"name": "gate", "cluster": {"server": self.url()}}],
            "users": [{"name": "nobody", "user": {}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "nobody"}}],
        });
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
        path
    }

    /// Holds the next request that matches `hold`.
    pub fn hold(&self, hold: Hold) {
        let mut holds = self.inner.holds.lock().unwrap();
        assert!(holds.iter().all(|(other, _)| other.name != hold.name), "two holds are named {}", hold.name);
        holds.push((hold, watch::Sender::new(Stage::Waiting)));
    }

    /// Waits until the hold has stopped a request; the request.
    pub async fn reached(&self, name: &str) -> SeenRequest {
        let mut stage = self.stage(name).subscribe();
        let reached = stage.wait_for(|stage| matches!(stage, Stage::Reached(_)));
        let stage = in_time(&format!("a request for the hold {name}"), reached).await.unwrap();
        let Stage::Reached(request) = &*stage else { panic!("{stage:?}") };
        request.clone()
    }

    /// Forwards the held request or reply, unless the client has closed its connection: a request of a killed process
    /// must not arrive later. (An operator in this process lives on for a moment after a kill; use [`Gate::refuse`]
    /// there.)
    pub fn release(&self, name: &str) {
        self.stage(name).send_replace(Stage::Released);
    }

    /// Closes the connection: the request is not forwarded, or the reply is not delivered.
    pub fn refuse(&self, name: &str) {
        self.stage(name).send_replace(Stage::Refused);
    }

    fn stage(&self, name: &str) -> watch::Sender<Stage> {
        let holds = self.inner.holds.lock().unwrap();
        let found = holds.iter().find(|(hold, _)| hold.name == name);
        found.unwrap_or_else(|| panic!("no hold is named {name}")).1.clone()
    }

    /// Forwards the next `times` matching requests, and closes the connection instead of delivering their replies.
    pub fn drop_replies(&self, method: &str, path: &str, times: usize) {
        self.inner.drops.lock().unwrap().push(Drops { kind: Kind::new(method, path), left: times });
    }

    /// Delivers every reply from now on.
    pub fn stop_dropping_replies(&self) {
        self.inner.drops.lock().unwrap().clear();
    }

    /// Watches of such a path deliver nothing from now on, as those of an API server that lags behind.
    pub fn freeze_watches(&self, path: &str) {
        self.inner.frozen.send_replace(Some(Regex::new(path).unwrap()));
    }

    /// Delivers what was kept back.
    pub fn thaw_watches(&self) {
        self.inner.frozen.send_replace(None);
    }

    /// Every write request so far, including those that were not forwarded.
    pub fn writes(&self) -> Vec<SeenRequest> {
        self.inner.writes.lock().unwrap().clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
        for (_, stage) in self.inner.holds.lock().unwrap().iter() {
            stage.send_replace(Stage::Refused);
        }
    }
}

/// The client's socket, besides what the server does with it.
#[derive(Clone)]
struct Connection(Arc<TcpStream>);

impl Connected<IncomingStream<'_, TcpListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let socket = TcpStream::from(stream.io().as_fd().try_clone_to_owned().unwrap());
        socket.set_nodelay(true).unwrap();
        Self(Arc::new(socket))
    }
}

impl Connection {
    /// Whether the client has closed it, as the kernel does for a killed process.
    fn is_closed(&self) -> bool {
        match self.0.peek(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    /// Closes the connection; the response returned here is not delivered.
    fn cut(&self) -> Response {
        // The client may have closed it already.
        let _ = self.0.shutdown(Shutdown::Both);
        ().into_response()
    }
}

async fn pass(
    State(inner): State<Weak<Inner>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    let Some(inner) = inner.upgrade() else { return connection.cut() };
    inner.reply(request, &connection).await.unwrap_or_else(|| connection.cut())
}

impl Inner {
    /// The API server's reply; `None` if none is to be delivered.
    async fn reply(&self, request: Request, connection: &Connection) -> Option<Response> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.ok()?;
        let request = SeenRequest {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method) {
            self.writes.lock().unwrap().push(request.clone());
        }
        self.stop(&request, At::Before).await?;
        if connection.is_closed() {
            return None;
        }
        let reply = self.forward(parts, body).await?;
        if self.drops_reply(&request) {
            return None;
        }
        if reply.status().is_success() {
            self.stop(&request, At::After).await?;
        }
        Some(reply)
    }

    /// Holds the request here if a test wants that; `None` if it is refused.
    async fn stop(&self, request: &SeenRequest, at: At) -> Option<()> {
        let Some(mut stage) = self.reach(request, at) else { return Some(()) };
        let gone_on = stage.wait_for(|stage| !matches!(stage, Stage::Reached(_))).await.ok()?;
        matches!(*gone_on, Stage::Released).then_some(())
    }

    /// The hold that matches this request; from now on it matches no other.
    fn reach(&self, request: &SeenRequest, at: At) -> Option<watch::Receiver<Stage>> {
        let holds = self.holds.lock().unwrap();
        let mut wanted = holds.iter().filter(|(hold, _)| hold.at == at && hold.kind.has(request));
        let (_, stage) = wanted.find(|(_, stage)| matches!(*stage.borrow(), Stage::Waiting))?;
        stage.send_replace(Stage::Reached(request.clone()));
        Some(stage.subscribe())
    }

    fn drops_reply(&self, request: &SeenRequest) -> bool {
        let mut drops = self.drops.lock().unwrap();
        let found = drops.iter_mut().find(|drop| drop.left > 0 && drop.kind.has(request));
        found.map(|drop| drop.left -= 1).is_some()
    }

    async fn forward(&self, parts: Parts, body: Bytes) -> Option<Response> {
        let path = parts.uri.path().to_owned();
        let is_watch = parts.uri.query().is_some_and(|query| query.contains("watch=true"));
        let mut request = Request::new(kube::client::Body::from(body));
        (*request.method_mut(), *request.uri_mut()) = (parts.method, parts.uri);
        *request.headers_mut() = end_to_end(parts.headers);
        // An API server that does not reply looks the same from both sides of the gate.
        let (parts, body) = self.apiserver.send(request).await.ok()?.into_parts();
        let body = Body::new(body);
        let mut reply = Response::new(if is_watch { self.thawing(path, body) } else { body });
        *reply.status_mut() = parts.status;
        *reply.headers_mut() = end_to_end(parts.headers);
        Some(reply)
    }

    /// The events of a watch, kept back while its path is frozen.
    fn thawing(&self, path: String, body: Body) -> Body {
        let frozen = self.frozen.subscribe();
        Body::from_stream(body.into_data_stream().then(move |news| {
            let (mut frozen, path) = (frozen.clone(), path.clone());
            async move {
                let thawed = frozen.wait_for(|frozen| frozen.as_ref().is_none_or(|kind| !kind.is_match(&path))).await;
                // The gate may have been dropped meanwhile.
                thawed.map_err(axum::Error::new).and(news)
            }
        }))
    }
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in OF_A_CONNECTION {
        headers.remove(name);
    }
    headers
}
