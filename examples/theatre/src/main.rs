//! `cargo run -p theatre -- --database-url postgres://…`

use clap::Parser;
use recount_service_kit::commands;
use recount_service_kit::startup::{ServiceArgs, Startup};
use theatre::service::{REJECTIONS, Service};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let startup = Startup::begin("theatre", &ServiceArgs::parse(), 16).await?;
    let service = Service::start(&startup.database).await?;
    service.watch(&startup.health);
    let served = startup.serve(service.router(), &[REJECTIONS, commands::PROBLEMS]).await;
    service.stop().await;
    Ok(served?)
}
