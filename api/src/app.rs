//! What handlers share, and the router that they make together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::middleware::from_fn;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::Verifier;
use crate::commands::Nudges;
use crate::config::{ConfigError, Settings};
use crate::forward::Forwarder;
use crate::http::layers;
use crate::overload::Overload;
use crate::positions::Positions;
use crate::problem::Problem;
use crate::results::Hub;
use crate::routes;
use crate::runtime::Runtime;
use crate::telemetry::metrics::Metrics;

/// Everything that handlers share; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    settings: Settings,
    verifier: Verifier,
    hub: Arc<Hub>,
    positions: Arc<Positions>,
    overload: Overload,
    nudges: Nudges,
    forwarder: Forwarder,
    metrics: Metrics,
    /// None only in tests of what comes before it.
    runtime: Option<Runtime>,
    draining: AtomicBool,
}

/// What an application is put together from.
pub(crate) struct Parts {
    /// Its settings.
    pub(crate) settings: Settings,
    /// Parked requests.
    pub(crate) hub: Arc<Hub>,
    /// Committed and promised positions.
    pub(crate) positions: Arc<Positions>,
    /// The stream application.
    pub(crate) runtime: Option<Runtime>,
}

impl App {
    /// Puts the parts together.
    ///
    /// # Errors
    /// Settings without a way to verify tokens.
    pub(crate) fn new(parts: Parts) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Inner {
            verifier: Verifier::new(&parts.settings)?,
            overload: Overload::new(parts.settings.command_timeout()),
            nudges: Nudges::default(),
            forwarder: Forwarder::new(parts.settings.command_timeout()),
            metrics: Metrics::installed(),
            hub: parts.hub,
            positions: parts.positions,
            runtime: parts.runtime,
            settings: parts.settings,
            draining: AtomicBool::new(false),
        })))
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Verifies tokens.
    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Parked requests.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// Committed and promised positions.
    pub(crate) fn positions(&self) -> &Positions {
        &self.0.positions
    }

    /// Which partitions take no more.
    pub(crate) fn overload(&self) -> &Overload {
        &self.0.overload
    }

    /// Keeps log time moving where somebody waits for it.
    pub(crate) fn nudges(&self) -> &Nudges {
        &self.0.nudges
    }

    /// Asks other instances.
    pub(crate) fn forwarder(&self) -> &Forwarder {
        &self.0.forwarder
    }

    /// What `/metrics` shows.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The stream application.
    ///
    /// # Errors
    /// 503 where there is none.
    pub(crate) fn runtime(&self) -> Result<&Runtime, Problem> {
        self.0
            .runtime
            .as_ref()
            .ok_or_else(|| Problem::unavailable("the service is starting"))
    }

    /// From now on this instance is not ready, so that nobody sends it more.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether this instance is on its way out.
    pub(crate) fn draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// The service as a router. `dev` adds what only `stagedoor dev` offers.
    pub(crate) fn router(self, dev: bool) -> Router {
        routes::router(self, dev)
            .layer(CatchPanicLayer::custom(layers::panicked))
            .layer(from_fn(layers::around))
    }
}
