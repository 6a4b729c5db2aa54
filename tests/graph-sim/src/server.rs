//! The HTTP server: connections, the way of a call from arrival to answer, and everything that can go wrong on it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::control;
use crate::control::faults::{Action, Caller, Mishap};
use crate::control::holds::Point;
use crate::delivery::handshake;
use crate::endless;
use crate::log;
use crate::meta::request::Call;
use crate::meta::{self, Answer, Reply, tokens};
use crate::world::World;

/// Larger requests than Meta takes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The simulator's state, shared by all its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world as it is now; never held while waiting.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        world.catch_up();
        world
    }
}

/// The TCP connection a request came over.
#[derive(Clone, Copy)]
struct Connection(u64);

/// Marks an answer that must not be sent: the connection is closed instead.
#[derive(Clone, Copy)]
struct Cut;

/// Accepts connections until dropped; with it go all connections.
pub(crate) async fn accept(listener: TcpListener, shared: Shared) {
    let router = control::router().fallback(serve).with_state(shared);
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                connections.spawn(talk(stream, router.clone(), Connection(number)));
            }
            Err(error) => tracing::warn!(%error, "a connection could not be accepted"),
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn talk(stream: TcpStream, router: Router, connection: Connection) {
    // Answers are small and people wait for them.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(connection);
        let answer = service.call(request);
        async move {
            let answer: Response = answer.await.unwrap_or_else(|never: Infallible| match never {});
            if answer.extensions().get::<Cut>().is_some() {
                return Err(io::Error::from(io::ErrorKind::ConnectionReset));
            }
            Ok(answer)
        }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(connection = connection.0, %error, "connection ended");
    }
}

/// What becomes of a call.
enum Outcome {
    Answered(Answer),
    Replaced(Action, Option<Answer>),
}

/// Meta's side of the server: everything that is not `/_sim`.
async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let Ok(call) = read(request).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let (seq, mishap) = arrive(&shared, &call);
    // In a task of its own: a caller who hangs up does not undo what Meta does.
    let work = tokio::spawn(run(shared.clone(), seq, call, mishap));
    let Ok(outcome) = work.await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    send(&shared, seq, outcome).await
}

async fn read(request: Request) -> Result<Call, axum::Error> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await?;
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let query = parts.uri.query().unwrap_or_default();
    Ok(Call {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        connection: parts.extensions.get::<Connection>().map_or(0, |connection| connection.0),
        base: format!("http://{host}"),
        headers: parts.headers,
        body,
    })
}

/// Logs a call and finds out what will happen to it.
fn arrive(shared: &Shared, call: &Call) -> (u64, Mishap) {
    let mut world = shared.world();
    let entry = log::entry(&world, call);
    let token = tokens::presented(call, &call.params());
    let token = token.and_then(|token| tokens::name_of(&world.estate, &token));
    let mishap = world.faults.strike(&Caller {
        method: &call.method,
        path: &call.path,
        token: token.as_deref(),
        client: entry.client.as_deref(),
    });
    (world.journal.begin(entry), mishap)
}

async fn run(shared: Shared, seq: u64, mut call: Call, mishap: Mishap) -> Outcome {
    let latency = std::time::Duration::from_millis(shared.world().latency_ms);
    tokio::time::sleep(latency + mishap.delay).await;
    hold(&shared, &call, Point::Before).await;
    if let Some(late) = mishap.apply_late {
        let clock = shared.world().clock.clone();
        let now = clock.now();
        let due = SignedDuration::try_from(late).ok().and_then(|late| now.checked_add(late).ok()).unwrap_or(now);
        tokio::spawn(async move {
            clock.sleep_until(due).await;
            work(&shared, seq, &call).await;
        });
        let reset = Action { reset: true, ..Action::default() };
        return Outcome::Replaced(mishap.after.or(mishap.before).unwrap_or(reset), None);
    }
    if let Some(action) = mishap.before {
        return Outcome::Replaced(action, None);
    }
    let came_with = mishap.cursors.and_then(|_| endless::start_over(&mut call));
    let mut answer = work(&shared, seq, &call).await;
    if let Some(cursors) = mishap.cursors {
        endless::go_on(&mut answer.body, cursors, came_with.as_deref(), seq);
    }
    hold(&shared, &call, Point::After).await;
    match mishap.after {
        Some(action) => Outcome::Replaced(action, Some(answer)),
        None => Outcome::Answered(answer),
    }
}

async fn hold(shared: &Shared, call: &Call, at: Point) {
    let reached = shared.world().holds.reach(&call.method, &call.path, at);
    if let Some(mut released) = reached {
        // A hold that is forgotten lets go as well.
        let _ = released.wait_for(|released| *released).await;
    }
}

/// What Meta does about the call; logged even if nobody hears of it.
async fn work(shared: &Shared, seq: u64, call: &Call) -> Answer {
    let question = {
        let mut world = shared.world();
        if !world.journal.is_ours(seq) {
            return meta::too_late(&world);
        }
        match meta::answer(&mut world, seq, call) {
            Reply::Answer(answer) => {
                world.journal.effect(seq, answer.effect.clone());
                return answer;
            }
            Reply::Question(question) => question,
        }
    };
    let callback = question.callback();
    let played = shared.world().habits.receiver(&callback.url).cloned();
    let outcome = match played {
        Some(receiver) if receiver.verify_token == callback.verify_token => Ok(()),
        Some(_) => Err("HTTP Status Code = 403; HTTP Message = Forbidden".to_owned()),
        None => handshake::ask(callback).await,
    };
    let mut world = shared.world();
    if !world.journal.is_ours(seq) {
        return meta::too_late(&world);
    }
    let answer = question.settle(&mut world, outcome);
    world.journal.effect(seq, answer.effect.clone());
    answer
}

async fn send(shared: &Shared, seq: u64, outcome: Outcome) -> Response {
    let (response, code) = match outcome {
        Outcome::Answered(answer) => (render(&answer), answer.code),
        Outcome::Replaced(action, answer) => match replace(&action, answer.as_ref()).await {
            Some(replaced) => replaced,
            None => return closed(),
        },
    };
    let mut response = response;
    let mut world = shared.world();
    let date = world.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    world.journal.answered(seq, response.status().as_u16(), code);
    response
}

fn render(answer: &Answer) -> Response {
    let mut response = json_response(answer.status, &answer.body);
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let content_type = [(header::CONTENT_TYPE, "application/json; charset=UTF-8")];
    (status, content_type, body.to_string()).into_response()
}

fn closed() -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(Cut);
    response
}

/// What a fault sends in place of the answer, with its Graph code; nothing when the connection is closed.
async fn replace(action: &Action, answer: Option<&Answer>) -> Option<(Response, Option<i64>)> {
    if action.hang {
        std::future::pending::<()>().await;
    }
    if action.reset {
        return None;
    }
    let code = action.body.as_ref().and_then(|body| body["error"]["code"].as_i64());
    let status = action.status.and_then(|status| StatusCode::from_u16(status).ok());
    if let Some(target) = &action.redirect {
        let location = [(header::LOCATION, target.clone())];
        return Some(((status.unwrap_or(StatusCode::FOUND), location).into_response(), None));
    }
    if action.html {
        let page = "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>";
        let content_type = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        return Some(((status.unwrap_or(StatusCode::BAD_GATEWAY), content_type, page).into_response(), None));
    }
    if action.empty {
        return Some((status.unwrap_or(StatusCode::OK).into_response(), None));
    }
    let (response, code) = match (&action.body, answer) {
        (Some(Value::String(text)), _) => ((status.unwrap_or(StatusCode::OK), text.clone()).into_response(), None),
        (Some(body), _) => (json_response(status.unwrap_or(StatusCode::OK), body), code),
        (None, Some(answer)) => {
            let mut response = render(answer);
            *response.status_mut() = status.unwrap_or(answer.status);
            (response, answer.code)
        }
        (None, None) => (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response(), None),
    };
    Some((if action.truncate { truncate(response).await } else { response }, code))
}

/// Half of a body under the length of the whole, then the end of the connection.
async fn truncate(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let halves = stream::once(async { Ok::<Bytes, io::Error>(half) }).chain(stream::once(async {
        // What has been written leaves before the connection ends.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    }));
    Response::from_parts(parts, Body::from_stream(halves))
}

/// Binds an address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
