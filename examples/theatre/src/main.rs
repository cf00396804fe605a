//! `cargo run -p theatre -- --database-url postgres://…`

use clap::Parser;
use recount_service_kit::startup::{ServiceArgs, Startup};
use theatre::service::{REJECTIONS, Service};

#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let startup = Startup::begin("theatre", &Args::parse().service, 16).await?;
    let service = Service::start(startup.pool.clone()).await?;
    let served = startup.serve(service.router(), REJECTIONS).await;
    service.stop().await;
    Ok(served?)
}
