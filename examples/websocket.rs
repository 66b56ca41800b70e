//! A WebSocket that closes at the logout, wherever that happens.
//!
//! `cargo run --example websocket`, then open <http://127.0.0.1:8080> in two tabs and log out in one.

use actix_web::web::{Html, Payload, Redirect};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Result, get, post, rt};
use actix_ws::{CloseCode, CloseReason, Message};
use sealed_session::actix::Authenticated;
use sealed_session::store::Memory;
use sealed_session::{KeyRing, Session, SessionMiddleware, Sessions};

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>WebSocket</title>\
    <form method=post action=/login><button>Log in</button></form>\
    <form method=post action=/logout><button>Log out</button></form><p id=said role=status></p><script>\
    const socket = new WebSocket(`ws://${location.host}/socket`);\
    socket.onopen = () => socket.send('It is open.');\
    socket.onmessage = (message) => said.textContent = message.data;\
    socket.onclose = (close) => said.textContent = `It is closed: ${close.reason || 'log in first'}.`;</script>";

#[get("/")]
async fn page() -> Html {
    Html::new(PAGE)
}

#[post("/login")]
async fn login(session: Session) -> Result<Redirect> {
    session.authenticate("alice").await?;
    Ok(Redirect::to("/").see_other())
}

#[post("/logout")]
async fn logout(session: Session) -> Result<Redirect> {
    session.logout().await?;
    Ok(Redirect::to("/").see_other())
}

/// Says what it hears, until the session is over.
#[get("/socket")]
async fn socket(user: Authenticated, request: HttpRequest, body: Payload) -> Result<HttpResponse> {
    let (response, mut socket, mut messages) = actix_ws::handle(&request, body)?;
    let mut ended = user.session().ended();
    rt::spawn(async move {
        loop {
            tokio::select! {
                reason = &mut ended => {
                    let (code, description) = (CloseCode::Policy, Some(reason.to_string()));
                    return socket.close(Some(CloseReason { code, description })).await;
                }
                message = messages.recv() => match message {
                    Some(Ok(Message::Text(text))) => socket.text(text).await?,
                    Some(Ok(Message::Ping(bytes))) => socket.pong(&bytes).await?,
                    Some(Ok(Message::Pong(_))) => {}
                    _ => return Ok(()),
                },
            }
        }
    });
    Ok(response)
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let builder = Sessions::builder("examples/websocket").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.service((page, login, logout, socket))
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
