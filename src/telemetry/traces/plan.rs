//! What the settings and OpenTelemetry's variables come to. The SDK reads most
//! of the variables itself; here are those that decide whether and how it is
//! set up, and those it does not know.

use std::time::Duration;

use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithTonicConfig,
};
use opentelemetry_sdk::trace::{
    OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT, Sampler, ShouldSample,
};
use tonic::transport::ClientTlsConfig;

use super::TracesError;
use crate::config::{self, TraceProtocol};

const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const PROPAGATORS: &str = "OTEL_PROPAGATORS";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];

/// Of one export. Longer would only let more spans be dropped meanwhile.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where OTLP over HTTP takes traces.
const HTTP_PATH: &str = "/v1/traces";

/// How traces are sampled and sent.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    protocol: TraceProtocol,
    /// Where the setting says so; else the exporter asks the variables.
    endpoint: Option<String>,
    /// The scheme of whatever endpoint it is says TLS.
    tls: bool,
    pub(super) timeout: Duration,
    sampling: Sampling,
    pub(super) propagates: bool,
    /// How many spans may wait to be sent.
    pub(super) queue: usize,
}

/// Which requests are traced.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sampling {
    /// So many of all.
    Ratio(f64),
    /// As the caller has it, and so many of those without a trace.
    ParentOr(f64),
}

impl Plan {
    /// The plan, or none if no endpoint is set or traces are turned off.
    pub(super) fn of(
        settings: &config::Traces,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TracesError> {
        let variable = |name: &str| {
            let value = variable(name).map(|value| value.trim().to_owned());
            // The specification takes an empty one for an absent one.
            value.filter(|value| !value.is_empty())
        };
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| Some((name, variable(name)?)))
        };
        let given = first(ENDPOINTS).map(|(_, endpoint)| endpoint);
        let Some(endpoint) = settings.endpoint.clone().or(given) else {
            return Ok(None);
        };
        let disabled = variable(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if disabled || !exports(variable(EXPORTER))? {
            return Ok(None);
        }
        let protocol = match settings.protocol {
            Some(protocol) => protocol,
            None => first(PROTOCOLS).map_or(Ok(TraceProtocol::Grpc), protocol)?,
        };
        let timeout = match settings.timeout {
            Some(timeout) => timeout,
            None => first(TIMEOUTS).map_or(Ok(TIMEOUT), millis)?,
        };
        let sampling = match settings.sample_ratio {
            Some(ratio) => Sampling::ParentOr(ratio),
            None => sampling(variable(SAMPLER), variable(SAMPLER_ARG))?,
        };
        let queue = variable(OTEL_BSP_MAX_QUEUE_SIZE).and_then(|size| size.parse().ok());
        let propagators = variable(PROPAGATORS);
        Ok(Some(Self {
            protocol,
            endpoint: settings.endpoint.as_ref().map(|endpoint| full(endpoint, protocol)),
            tls: endpoint.starts_with("https://"),
            timeout,
            sampling,
            propagates: propagators
                .is_none_or(|names| names.split(',').any(|name| name.trim() == "tracecontext")),
            queue: queue.unwrap_or(OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT),
        }))
    }

    /// What speaks to the collector.
    pub(super) fn exporter(&self) -> Result<SpanExporter, ExporterBuildError> {
        match self.protocol {
            TraceProtocol::Grpc => {
                let mut builder = SpanExporter::builder().with_tonic().with_timeout(self.timeout);
                if let Some(endpoint) = &self.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if self.tls {
                    builder = builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
                }
                builder.build()
            }
            TraceProtocol::Http => {
                let mut builder = SpanExporter::builder()
                    .with_http()
                    .with_protocol(Protocol::HttpBinary)
                    .with_timeout(self.timeout);
                if let Some(endpoint) = &self.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                builder.build()
            }
        }
    }

    /// What decides which requests are traced.
    pub(super) fn sampler(&self) -> Box<dyn ShouldSample> {
        match self.sampling {
            Sampling::Ratio(ratio) => Box::new(Sampler::TraceIdRatioBased(ratio)),
            // Not `Sampler::ParentBased`: that never samples where an invalid
            // context is attached.
            Sampling::ParentOr(ratio) => {
                Box::new(Sampler::parent_based(Sampler::TraceIdRatioBased(ratio)))
            }
        }
    }
}

fn exports(exporter: Option<String>) -> Result<bool, TracesError> {
    match exporter.as_deref() {
        None | Some("otlp") => Ok(true),
        Some("none") => Ok(false),
        Some(other) => Err(TracesError::Variable {
            variable: EXPORTER,
            value: other.to_owned(),
            allowed: "there are \"otlp\" and \"none\"",
        }),
    }
}

fn protocol((variable, name): (&'static str, String)) -> Result<TraceProtocol, TracesError> {
    match name.as_str() {
        "grpc" => Ok(TraceProtocol::Grpc),
        "http/protobuf" => Ok(TraceProtocol::Http),
        _ => Err(TracesError::Variable {
            variable,
            value: name,
            allowed: "there are \"grpc\" and \"http/protobuf\"",
        }),
    }
}

fn millis((variable, value): (&'static str, String)) -> Result<Duration, TracesError> {
    let millis = value.parse().map(Duration::from_millis);
    millis.map_err(|_| TracesError::Variable {
        variable,
        value,
        allowed: "it is a number of milliseconds",
    })
}

fn sampling(name: Option<String>, argument: Option<String>) -> Result<Sampling, TracesError> {
    let ratio = || match argument {
        None => Ok(1.0),
        Some(value) => match value.parse() {
            Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
            _ => Err(TracesError::Variable {
                variable: SAMPLER_ARG,
                value,
                allowed: "it goes from 0.0 to 1.0",
            }),
        },
    };
    Ok(match name.as_deref() {
        None | Some("parentbased_always_on") => Sampling::ParentOr(1.0),
        Some("parentbased_always_off") => Sampling::ParentOr(0.0),
        Some("parentbased_traceidratio") => Sampling::ParentOr(ratio()?),
        Some("always_on") => Sampling::Ratio(1.0),
        Some("always_off") => Sampling::Ratio(0.0),
        Some("traceidratio") => Sampling::Ratio(ratio()?),
        Some(other) => {
            return Err(TracesError::Variable {
                variable: SAMPLER,
                value: other.to_owned(),
                allowed: "there are \"always_on\", \"always_off\", \"traceidratio\", and the same \
                          with \"parentbased_\" before it",
            });
        }
    })
}

/// The endpoint as the exporter takes it: HTTP's with its path.
fn full(endpoint: &str, protocol: TraceProtocol) -> String {
    let bare = endpoint.trim_end_matches('/');
    let has_path = bare.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    match protocol {
        TraceProtocol::Http if !has_path => format!("{bare}{HTTP_PATH}"),
        _ => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");

    fn plan(
        settings: &config::Traces,
        variables: &[(&str, &str)],
    ) -> Result<Option<Plan>, TracesError> {
        Plan::of(settings, |asked| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn by_variables(more: &[(&str, &str)]) -> Plan {
        let variables = [&[COLLECTOR], more].concat();
        plan(&config::Traces::default(), &variables).expect("possible").expect("on")
    }

    #[test]
    fn traces_are_off_without_an_endpoint_and_where_they_are_turned_off() {
        let settings = config::Traces::default();
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_TRACES_SAMPLER", "always_on")],
            &[COLLECTOR, ("OTEL_SDK_DISABLED", "TRUE")],
            &[COLLECTOR, ("OTEL_TRACES_EXPORTER", "none")],
        ] {
            assert_eq!(plan(&settings, variables).expect("possible"), None, "{variables:?}");
        }
        by_variables(&[("OTEL_SDK_DISABLED", "no")]);
        by_variables(&[("OTEL_TRACES_EXPORTER", "otlp")]);
    }

    #[test]
    fn without_a_choice_it_is_grpc_all_requests_and_three_seconds() {
        let plan = by_variables(&[]);
        assert_eq!(plan.protocol, TraceProtocol::Grpc);
        assert_eq!(plan.sampling, Sampling::ParentOr(1.0));
        assert_eq!(plan.timeout, Duration::from_secs(3));
        assert_eq!((plan.queue, plan.propagates, plan.tls), (2048, true, false));
        assert_eq!(plan.endpoint, None, "the exporter reads it itself");
    }

    #[test]
    fn settings_go_before_variables() {
        let settings = config::Traces {
            endpoint: Some("https://other:4318".to_owned()),
            protocol: Some(TraceProtocol::Http),
            sample_ratio: Some(0.25),
            timeout: Some(Duration::from_secs(1)),
            ..config::Traces::default()
        };
        let variables = [
            COLLECTOR,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "9000"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ];
        let plan = plan(&settings, &variables).expect("possible").expect("on");
        assert_eq!(plan.endpoint.as_deref(), Some("https://other:4318/v1/traces"));
        assert_eq!(plan.protocol, TraceProtocol::Http);
        assert_eq!(plan.sampling, Sampling::ParentOr(0.25));
        assert_eq!((plan.timeout, plan.tls), (Duration::from_secs(1), true));
    }

    #[test]
    fn what_is_of_traces_goes_before_what_is_of_all_signals() {
        let plan = by_variables(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
        ]);
        assert_eq!(plan.protocol, TraceProtocol::Http);
        assert_eq!(plan.timeout, Duration::from_millis(250));
    }

    #[test]
    fn every_sampler_of_the_specification_is_known() {
        for (name, argument, expected) in [
            ("always_on", "", Sampling::Ratio(1.0)),
            ("always_off", "", Sampling::Ratio(0.0)),
            ("traceidratio", "0.5", Sampling::Ratio(0.5)),
            ("parentbased_always_on", "", Sampling::ParentOr(1.0)),
            ("parentbased_always_off", "", Sampling::ParentOr(0.0)),
            ("parentbased_traceidratio", "0.01", Sampling::ParentOr(0.01)),
            ("parentbased_traceidratio", "", Sampling::ParentOr(1.0)),
        ] {
            let variables = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)];
            assert_eq!(by_variables(&variables).sampling, expected, "{name} {argument}");
        }
    }

    #[test]
    fn propagation_can_be_turned_off() {
        for (names, propagates) in
            [("tracecontext,baggage", true), ("none", false), ("b3", false), ("", true)]
        {
            let plan = by_variables(&[("OTEL_PROPAGATORS", names)]);
            assert_eq!(plan.propagates, propagates, "{names:?}");
        }
    }

    #[test]
    fn a_variable_that_is_not_possible_is_an_error_that_names_it() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3s"),
            ("OTEL_TRACES_SAMPLER", "xray"),
        ] {
            let error = plan(&config::Traces::default(), &[COLLECTOR, (name, value)]);
            let error = error.expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }

    #[test]
    fn an_endpoint_of_http_gets_its_path() {
        for (endpoint, expected) in [
            ("http://c:4318", "http://c:4318/v1/traces"),
            ("http://c:4318/", "http://c:4318/v1/traces"),
            ("http://c/otlp/v1/traces", "http://c/otlp/v1/traces"),
        ] {
            assert_eq!(full(endpoint, TraceProtocol::Http), expected);
            assert_eq!(full(endpoint, TraceProtocol::Grpc), endpoint);
        }
    }
}
