//! Values of many shapes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use actix_web::{HttpResponse, Result, web};
use sealed_session::Session;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Choice {
    Nothing,
    One(u8),
    Two(i32, String),
    Named { place: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Typed {
    pub text: String,
    pub letter: char,
    pub large: u64,
    pub negative: i64,
    pub fraction: f64,
    pub whole: f64,
    pub yes: bool,
    pub absent: Option<String>,
    pub unit: (),
    pub list: Vec<Option<u16>>,
    pub bytes: Vec<u8>,
    pub pair: (u8, String),
    pub map: BTreeMap<String, i8>,
    pub address: IpAddr,
    pub choice: Choice,
    pub choices: Vec<Choice>,
}

impl Default for Typed {
    fn default() -> Self {
        Self {
            text: "Grüße, \"世界\"; a=b\n".into(),
            letter: 'ß',
            large: u64::MAX,
            negative: i64::MIN,
            fraction: -0.1,
            whole: 3.0,
            yes: true,
            absent: None,
            unit: (),
            list: vec![None, Some(7)],
            bytes: vec![0, 255],
            pair: (1, "two".into()),
            map: [("a".to_owned(), -1)].into(),
            address: "2001:db8::1".parse().unwrap(),
            choice: Choice::Two(-1, "b".into()),
            choices: vec![
                Choice::Nothing,
                Choice::One(1),
                Choice::Named {
                    place: "here".into(),
                },
            ],
        }
    }
}

pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/typed", web::get().to(read));
}

/// 200 if everything reads back as what it was.
async fn read(session: Session) -> Result<HttpResponse> {
    let typed = Typed::default();
    assert_eq!(session.get("text")?, Some(typed.text.clone()));
    assert_eq!(session.get("large")?, Some(typed.large));
    assert_eq!(session.get("negative")?, Some(typed.negative));
    assert_eq!(session.get("fraction")?, Some(typed.fraction));
    assert_eq!(session.get::<Option<String>>("absent")?, Some(None));
    assert_eq!(session.get("address")?, Some(typed.address));
    assert_eq!(session.get("choice")?, Some(typed.choice.clone()));
    assert_eq!(session.get("all")?, Some(typed));
    Ok(HttpResponse::Ok().finish())
}
