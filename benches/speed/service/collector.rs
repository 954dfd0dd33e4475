//! A real receiver of spans, which counts them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// Counts the spans that it is sent.
#[derive(Default)]
struct Collector(AtomicUsize);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.get_ref().resource_spans.iter().flat_map(|spans| &spans.scope_spans);
        self.0.fetch_add(scopes.map(|scope| scope.spans.len()).sum(), Relaxed);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

pub(super) async fn serve() {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address"));
    let incoming = incoming.expect("a port");
    eprintln!("grpc={}", incoming.local_addr().expect("an address"));
    let server = Server::builder().add_service(TraceServiceServer::new(Collector::default()));
    server.serve_with_incoming(incoming).await.expect("it serves");
}
