//! Entries as types of the application's: a cart, and settings beside it.
//!
//! `cargo run --example typed_session`, then
//! `curl -c jar -b jar -X POST http://127.0.0.1:8080/cart/tea; curl -b jar http://127.0.0.1:8080/cart`

use std::collections::BTreeMap;

use actix_web::{App, HttpServer, Result, get, post, web::Path};
use sealed_session::session::{SessionData, TypedSession};
use sealed_session::store::Memory;
use sealed_session::{KeyRing, SessionMiddleware, Sessions};
use serde::{Deserialize, Serialize};

/// Which wares, and how many of each. Prices are the database's business: a cookie can be sent once more.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)] // fields that are added later have their default in older sessions
struct Cart {
    wares: BTreeMap<String, u32>,
}

impl SessionData for Cart {
    const NAME: &'static str = "cart";
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    currency: String,
}

impl Default for Settings {
    fn default() -> Self {
        let currency = "EUR".to_owned();
        Self { currency }
    }
}

impl SessionData for Settings {
    const NAME: &'static str = "settings";
}

#[post("/cart/{ware}")]
async fn add(mut cart: TypedSession<Cart>, ware: Path<String>) -> Result<String> {
    let ware = ware.into_inner();
    cart.update(|cart| *cart.wares.entry(ware).or_default() += 1)?;
    Ok(format!("{} wares", cart.data().wares.values().sum::<u32>()))
}

#[post("/currency/{name}")]
async fn choose_currency(
    mut settings: TypedSession<Settings>,
    name: Path<String>,
) -> Result<String> {
    settings.data_mut().currency = name.into_inner();
    settings.save()?;
    Ok(settings.data().currency.clone())
}

#[get("/cart")]
async fn show(cart: TypedSession<Cart>, settings: TypedSession<Settings>) -> String {
    let wares = cart.data().wares.iter();
    let wares = wares.map(|(ware, number)| format!("{number} {ware}"));
    let wares: Vec<_> = wares.collect();
    format!("{} ({})", wares.join(", "), settings.data().currency)
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let builder = Sessions::builder("examples/typed-session").keys(KeyRing::generate()?);
    let sessions = builder.store(Memory::new()).start().await?;
    let app = move || {
        let app = App::new().wrap(SessionMiddleware::new(&sessions));
        app.service(add).service(choose_currency).service(show)
    };
    HttpServer::new(app).bind(address)?.run().await?;
    Ok(())
}
