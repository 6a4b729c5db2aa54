//! A gate between an operator and the API server, at which a test can stop a request at an exact point.
//!
//! It is no imitation: every request goes on to the real API server, and every answer, watches included, comes from there. The
//! operator needs no credentials, for the gate has those that it was started with.

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

/// Headers about one connection, which say nothing about the next.
const OF_A_CONNECTION: [header::HeaderName; 5] =
    [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING, header::TE, header::UPGRADE];

/// A request as the gate saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: String,
}

/// Where a request is stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Before,
    After,
}

/// Which request is to be stopped, and where.
#[derive(Debug)]
pub struct Hold {
    name: String,
    kind: Kind,
    at: At,
}

impl Hold {
    /// Stops the next such request before the API server has heard of it. `method` is the whole method (`PUT|PATCH`), `path`
    /// any part of the path; both are regular expressions.
    pub fn before(name: &str, method: &str, path: &str) -> Self {
        Self { name: name.to_owned(), kind: Kind::new(method, path), at: At::Before }
    }

    /// Stops the answer of the next such request that the API server has carried out.
    pub fn after(name: &str, method: &str, path: &str) -> Self {
        Self { at: At::After, ..Self::before(name, method, path) }
    }

    /// Only a request whose query has this in it, a regular expression.
    pub fn query(mut self, query: &str) -> Self {
        self.kind.query = Some(Regex::new(query).unwrap());
        self
    }

    /// Only a request whose body has this in it, a regular expression.
    pub fn body(mut self, body: &str) -> Self {
        self.kind.body = Some(Regex::new(body).unwrap());
        self
    }
}

/// A kind of requests.
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

    fn has(&self, asked: &Asked) -> bool {
        let has = |wanted: &Option<Regex>, text: &str| wanted.as_ref().is_none_or(|wanted| wanted.is_match(text));
        self.method.is_match(&asked.method)
            && self.path.is_match(&asked.path)
            && has(&self.query, &asked.query)
            && has(&self.body, &asked.body)
    }
}

/// What has become of a hold.
#[derive(Debug)]
enum Stage {
    Waiting,
    Reached(Asked),
    Released,
    Refused,
}

/// The answers that are still to be lost.
struct Losses {
    kind: Kind,
    left: usize,
}

struct Inner {
    apiserver: Client,
    frozen: watch::Sender<Option<Regex>>,
    holds: Mutex<Vec<(Hold, watch::Sender<Stage>)>>,
    losses: Mutex<Vec<Losses>>,
    writes: Mutex<Vec<Asked>>,
}

/// A running gate. When it is dropped, it lets nothing through any more, and what it holds is refused.
pub struct Gate {
    address: SocketAddr,
    folder: TempDir,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Gate {
    /// Starts one that has the rights of `config` at the API server.
    pub async fn start(mut config: kube::Config) -> Self {
        // A refusal is passed on: whether to try again is for the operator to say.
        config.default_retry = false;
        let inner = Arc::new(Inner {
            apiserver: Client::try_from(config).unwrap(),
            frozen: watch::Sender::new(None),
            holds: Mutex::default(),
            losses: Mutex::default(),
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

    /// Access through the gate, for an operator in this process.
    pub fn config(&self) -> kube::Config {
        kube::Config::new(self.url().parse().unwrap())
    }

    /// Access through the gate, for an operator that is a process. The file is there as long as the gate.
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

    /// Stops one request, the next that is as `hold` says.
    pub fn hold(&self, hold: Hold) {
        let mut holds = self.inner.holds.lock().unwrap();
        assert!(holds.iter().all(|(other, _)| other.name != hold.name), "two holds are named {}", hold.name);
        holds.push((hold, watch::Sender::new(Stage::Waiting)));
    }

    /// Waits until the hold has stopped a request; the request.
    pub async fn reached(&self, name: &str) -> Asked {
        let mut stage = self.stage(name).subscribe();
        let reached = stage.wait_for(|stage| matches!(stage, Stage::Reached(_)));
        let stage = in_time(&format!("a request for the hold {name}"), reached).await.unwrap();
        let Stage::Reached(asked) = &*stage else { panic!("{stage:?}") };
        asked.clone()
    }

    /// Lets the request or the answer go on, unless who asked is gone: nobody sends on what a dead process has not sent. (An
    /// operator in this process lives on a little when it is killed; for that one there is [`Gate::refuse`].)
    pub fn release(&self, name: &str) {
        self.stage(name).send_replace(Stage::Released);
    }

    /// Cuts the connection: the request never goes on, or the answer is never given.
    pub fn refuse(&self, name: &str) {
        self.stage(name).send_replace(Stage::Refused);
    }

    fn stage(&self, name: &str) -> watch::Sender<Stage> {
        let holds = self.inner.holds.lock().unwrap();
        let found = holds.iter().find(|(hold, _)| hold.name == name);
        found.unwrap_or_else(|| panic!("no hold is named {name}")).1.clone()
    }

    /// Has the next `times` such requests carried out, and cuts the connection in place of their answers.
    pub fn lose_answers(&self, method: &str, path: &str, times: usize) {
        self.inner.losses.lock().unwrap().push(Losses { kind: Kind::new(method, path), left: times });
    }

    /// From now on every answer is given.
    pub fn lose_no_more(&self) {
        self.inner.losses.lock().unwrap().clear();
    }

    /// Watches of such a path bring nothing new from now on, as those of an API server that has fallen behind.
    pub fn freeze(&self, path: &str) {
        self.inner.frozen.send_replace(Some(Regex::new(path).unwrap()));
    }

    /// What was kept back comes now.
    pub fn thaw(&self) {
        self.inner.frozen.send_replace(None);
    }

    /// Every request so far that writes, also those that were not let through.
    pub fn writes(&self) -> Vec<Asked> {
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

/// The other end of a connection, besides what the server does with it.
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
    /// Whether who asked has closed it, as the kernel does for a process that was killed.
    fn is_closed(&self) -> bool {
        match self.0.peek(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    /// What this returns arrives nowhere.
    fn cut(&self) -> Response {
        // It may be closed already.
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
    inner.answer(request, &connection).await.unwrap_or_else(|| connection.cut())
}

impl Inner {
    /// The API server's answer; none if there is none to be given.
    async fn answer(&self, request: Request, connection: &Connection) -> Option<Response> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.ok()?;
        let asked = Asked {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&parts.method) {
            self.writes.lock().unwrap().push(asked.clone());
        }
        self.stop(&asked, At::Before).await?;
        if connection.is_closed() {
            return None;
        }
        let answer = self.forward(parts, body).await?;
        if self.loses(&asked) {
            return None;
        }
        if answer.status().is_success() {
            self.stop(&asked, At::After).await?;
        }
        Some(answer)
    }

    /// Holds the request here, if a test wants it; none if it is refused.
    async fn stop(&self, asked: &Asked, at: At) -> Option<()> {
        let Some(mut stage) = self.reach(asked, at) else { return Some(()) };
        let gone_on = stage.wait_for(|stage| !matches!(stage, Stage::Reached(_))).await.ok()?;
        matches!(*gone_on, Stage::Released).then_some(())
    }

    /// The hold of this request, which from now on holds no other.
    fn reach(&self, asked: &Asked, at: At) -> Option<watch::Receiver<Stage>> {
        let holds = self.holds.lock().unwrap();
        let mut wanted = holds.iter().filter(|(hold, _)| hold.at == at && hold.kind.has(asked));
        let (_, stage) = wanted.find(|(_, stage)| matches!(*stage.borrow(), Stage::Waiting))?;
        stage.send_replace(Stage::Reached(asked.clone()));
        Some(stage.subscribe())
    }

    fn loses(&self, asked: &Asked) -> bool {
        let mut losses = self.losses.lock().unwrap();
        let found = losses.iter_mut().find(|loss| loss.left > 0 && loss.kind.has(asked));
        found.map(|loss| loss.left -= 1).is_some()
    }

    async fn forward(&self, parts: Parts, body: Bytes) -> Option<Response> {
        let path = parts.uri.path().to_owned();
        let is_watch = parts.uri.query().is_some_and(|query| query.contains("watch=true"));
        let mut request = Request::new(kube::client::Body::from(body));
        (*request.method_mut(), *request.uri_mut()) = (parts.method, parts.uri);
        *request.headers_mut() = end_to_end(parts.headers);
        // An API server that does not answer looks from the other side of the gate as it does from here.
        let (parts, body) = self.apiserver.send(request).await.ok()?.into_parts();
        let body = Body::new(body);
        let mut answer = Response::new(if is_watch { self.thawing(path, body) } else { body });
        *answer.status_mut() = parts.status;
        *answer.headers_mut() = end_to_end(parts.headers);
        Some(answer)
    }

    /// What a watch brings, kept back while its path is frozen.
    fn thawing(&self, path: String, body: Body) -> Body {
        let frozen = self.frozen.subscribe();
        Body::from_stream(body.into_data_stream().then(move |news| {
            let (mut frozen, path) = (frozen.clone(), path.clone());
            async move {
                let thawed = frozen.wait_for(|frozen| frozen.as_ref().is_none_or(|kind| !kind.is_match(&path))).await;
                // The gate may be gone meanwhile.
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
