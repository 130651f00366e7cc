//! From flags to running controllers, and back on SIGTERM.

use anyhow::{Context as _, Result, bail};
use kit::client::Io;
use kit::guard::{self, Guard};
use kit::key::Key;
use kit::lease::{Election, Leadership};
use kit::runtime::Context;
use kit::serve::{self, Pages};
use kit::webhook::{Hooks, server};
use kit::{args::Common, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::args::Args;
use crate::families::Family;

/// Runs what the flags name until a signal comes or something ends that must not.
pub(crate) async fn run(args: Args) -> Result<()> {
    let (families, mut settings) = Family::of(args.command);
    settings.peers.apply(&mut settings.common);
    let common = &settings.common;
    telemetry::start(common.log_format, &common.log_level);
    for warning in settings.warnings(&families) {
        tracing::warn!("{warning}");
    }
    let io = Io::connect(common.kubeconfig.as_deref()).await.context("connecting to the API server")?;
    let stop = CancellationToken::new();
    let mut context = Context::new(io, stop.clone()).with_scope(common.scope());
    context.watch_filter.clone_from(&common.watch_filter);
    context.workers.resync = common.resync();

    let mut tasks: JoinSet<Result<&'static str>> = JoinSet::new();
    tasks.spawn(signals(stop.clone())?);
    listen(&mut tasks, &context, common, &families);
    for family in families {
        let leadership = leadership(&mut tasks, &context, common, family);
        let running = family.start(context.clone().with_leadership(leadership), &settings)?;
        tasks.spawn(async move {
            running.await?;
            Ok(family.lease())
        });
    }
    ended(tasks, &stop).await
}

/// The first end decides: on a signal everything else is asked to end too; anything else that ends is a failure.
async fn ended(mut tasks: JoinSet<Result<&'static str>>, stop: &CancellationToken) -> Result<()> {
    let mut result = Ok(());
    while let Some(task) = tasks.join_next().await {
        let failure = match task {
            Ok(Ok(_)) if stop.is_cancelled() => continue,
            Ok(Ok(what)) => anyhow::anyhow!("{what} ended by itself"),
            Ok(Err(error)) => error,
            Err(error) => anyhow::Error::from(error),
        };
        stop.cancel();
        if result.is_ok() {
            result = Err(failure);
        }
    }
    result
}

fn signals(stop: CancellationToken) -> Result<impl Future<Output = Result<&'static str>>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => tracing::info!("SIGTERM: ending"),
            _ = int.recv() => tracing::info!("interrupted: ending"),
            () = stop.cancelled() => {}
        }
        stop.cancel();
        Ok("signals")
    })
}

/// Webhooks, health and diagnostics.
fn listen(tasks: &mut JoinSet<Result<&'static str>>, context: &Context, common: &Common, families: &[Family]) {
    let stop = &context.shutdown;
    if common.webhook_port != 0 {
        let names = common.webhook_self_signed.split(',').map(str::trim).filter(|name| !name.is_empty());
        let options = server::Options {
            port: common.webhook_port,
            cert_dir: common.webhook_cert_dir.clone(),
            self_signed: names.map(ToOwned::to_owned).collect(),
        };
        let hooks = families.iter().fold(Hooks::new(), |all, family| all.merge(family.hooks(context)));
        let opening = context.health.waiting("the webhook server and its certificate".to_owned());
        let stop = stop.clone();
        tasks.spawn(async move {
            server::serve(options, hooks, opening, stop).await?;
            Ok("the webhook server")
        });
    }
    let pages =
        Pages { metrics: context.metrics.clone(), plans: context.plans.clone(), health: context.health.clone() };
    if let Some(address) = common.health_addr.0 {
        let (router, stop) = (serve::health_router(context.health.clone()), stop.clone());
        tasks.spawn(async move {
            serve::serve(address, router, stop).await.with_context(|| format!("serving health on {address}"))?;
            Ok("health")
        });
    }
    if let Some(address) = common.diagnostics_address.0 {
        let (router, stop) = (serve::diagnostics_router(pages), stop.clone());
        let guard = (!common.insecure_diagnostics).then(|| Guard::new(context.io.clone()));
        tasks.spawn(async move {
            let served = match guard {
                Some(guard) => guard::serve(address, guard.protect(router), stop).await,
                None => serve::serve(address, router, stop).await,
            };
            served.with_context(|| format!("serving diagnostics on {address}"))?;
            Ok("diagnostics")
        });
    }
}

/// The family's right to act: its lease where leader election is on.
fn leadership(
    tasks: &mut JoinSet<Result<&'static str>>,
    context: &Context,
    common: &Common,
    family: Family,
) -> Leadership {
    if !common.leader_elect {
        return Leadership::always();
    }
    let key = Key::new(common.lease_namespace(&context.io), family.lease());
    let host = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "metal3".to_owned());
    let me = format!("{host}_{}", uuid::Uuid::new_v4());
    let election = Election::new(context.io.clone(), context.clock.clone(), key, me);
    let (leadership, task) = election.with_timing(common.lease_timing()).start(context.shutdown.clone());
    tasks.spawn(async move {
        if task.await? {
            // Passes may still be running: only the end of the process makes sure that two never act at once.
            bail!("lost the lease {}", family.lease());
        }
        Ok("leader election")
    });
    leadership
}
