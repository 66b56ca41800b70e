//! `GET /metrics`: the library's metrics in the text format of Prometheus.
//!
//! The library speaks to whatever recorder the application installs. Here that is one which keeps the
//! numbers in memory until a scraper asks for them.

use std::time::Duration;

use actix_web::{HttpResponse, rt, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::api::{get, only};
use crate::setup::Failure;

/// How often samples that nobody has fetched are summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Where the numbers are kept.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// To be called before the sessions start: they describe their metrics then.
    pub fn install() -> Result<Self, Failure> {
        let handle = PrometheusBuilder::new()
            .install_recorder()
            .map_err(Failure::new)?;
        let kept = handle.clone();
        rt::spawn(async move {
            loop {
                rt::time::sleep(UPKEEP).await;
                kept.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    /// Needs no session. It tells how busy the site is, so restrict it in front of this application.
    pub fn routes(&self, config: &mut web::ServiceConfig) {
        let handle = self.0.clone();
        let show = move || {
            let text = handle.render();
            async {
                HttpResponse::Ok()
                    .content_type("text/plain; version=0.0.4; charset=utf-8")
                    .body(text)
            }
        };
        config.service(only("/metrics", "GET, HEAD", [get().to(show)]));
    }
}
