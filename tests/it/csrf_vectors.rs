//! The vectors of tokens against cross-site requests.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealed_session::SessionsBuilder;
use sealed_session::keys::{Random, RandomError};

use super::vectors::{Kind, headers, load, of, sessions, sessions_with, vectors};

#[actix_web::test]
async fn every_csrf_token_is_good_or_refused_as_its_vector_says() {
    let (mut good, mut bad) = (0, 0);
    for (name, vector) in of(Kind::Csrf) {
        let (sessions, _) = sessions(&vector).await;
        let session = load(&sessions, &headers(&vector)).session;
        assert!(session.id().is_some(), "{name}");
        let token = vector["token"].as_str().unwrap();
        let is_good = session.is_csrf_token(token);
        assert_eq!(is_good, vector["expect"].as_bool().unwrap(), "{name}");
        assert_eq!(is_good, !name.starts_with("no-"), "{name}");
        *if is_good { &mut good } else { &mut bad } += 1;
    }
    assert!(good >= 7 && bad >= 20, "{good} are good, {bad} are not");
}

/// Bytes that a vector has.
#[derive(Debug)]
struct Given(Vec<u8>);

impl Random for Given {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        bytes.copy_from_slice(&self.0);
        Ok(())
    }
}

#[actix_web::test]
async fn the_crate_writes_the_csrf_tokens_of_the_vectors() {
    for name in [
        "csrf-token",
        "csrf-of-another-mask",
        "csrf-of-a-mask-of-zeros",
        "csrf-of-an-audience-in-utf8",
    ] {
        let vector = &vectors()[name];
        let token = vector["token"].as_str().unwrap();
        let mask = BASE64.decode(token).unwrap()[4..20].to_vec();
        let made = |builder: SessionsBuilder| builder.random(Arc::new(Given(mask)));
        let (sessions, _) = sessions_with(vector, made).await;
        let session = load(&sessions, &headers(vector)).session;
        assert_eq!(session.csrf_token().unwrap().token(), token, "{name}");
    }
}
