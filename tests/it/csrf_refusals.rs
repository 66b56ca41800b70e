//! What an operator gets to see of a request that is refused for its token.
#![cfg(feature = "metrics")]

use sealed_session::adapter::{CrossSite, Incoming};
use support::written::{Level, Written};

use super::csrf_tokens::started;

#[actix_web::test]
async fn a_refusal_for_its_token_is_counted_and_explained_to_developers() {
    let (sessions, _) = started(|builder| builder).await;
    let loaded = sessions.load(Incoming::new(std::iter::empty())).unwrap();
    let session = loaded.session;
    let token = session.csrf_token().unwrap();
    let written = Written::default();
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let guard = written.listen_from(Level::DEBUG);
    metrics::with_local_recorder(&recorder, || {
        let good = token.token().as_bytes();
        assert_eq!(sessions.judge_token(&session, Some(good)), Ok(()));
        assert_eq!(
            sessions.judge_token(&session, None),
            Err(CrossSite::NoToken)
        );
        let wrong = sessions.judge_token(&session, Some(&good[1..]));
        assert_eq!(wrong, Err(CrossSite::WrongToken));
    });
    drop(guard);
    let text = recorder.handle().render();
    assert!(
        text.contains("sealed_session_cross_site_total 2\n"),
        "{text}"
    );
    let reasons = written.lines("refused a token against cross-site requests");
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("length"), "{reasons:?}");
    assert_eq!(
        written.lines("refused a request that may be forged").len(),
        2
    );
    assert!(
        written.lines(&token.token()[8..]).is_empty(),
        "no token is logged"
    );
}
