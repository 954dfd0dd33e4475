"""The object stores that tests/stores/run starts: where both services find them, and what is in them."""

from __future__ import annotations

import os


AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key that every azurite has; no secret."""

BUCKET = "flightdeck"
PLAIN_GCSFS = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
"""gcsfs would ask each bucket's kind over gRPC, which the server that stands for Google's does not speak."""

ROOT = f"{BUCKET}/conformance"

KEYS = (
    "there",
    "a b",
    "50%25",
    "a+b",
    "a#b",
    "a?b",
    "a&b=c",
    "é世🚀",
    "folder/below",
    "folder-beside",
    "deep/er/key.csv",
)
"""What is there, below ROOT."""


def stores_are_there() -> bool:
    return "FLIGHTDECK_TEST_S3" in os.environ


def settings() -> dict[str, str]:
    """The environment in which both services find the stores: flytekit's variables and the vendors' own."""
    if not stores_are_there():
        return {}
    azure = os.environ["FLIGHTDECK_TEST_AZURE"]
    account = azure.rsplit("/", 1)[1]
    return {
        "FLYTE_AWS_ENDPOINT": os.environ["FLIGHTDECK_TEST_S3"],
        "FLYTE_AWS_ACCESS_KEY_ID": "test",
        "FLYTE_AWS_SECRET_ACCESS_KEY": "test",
        "STORAGE_EMULATOR_HOST": os.environ["FLIGHTDECK_TEST_GCS"],
        **PLAIN_GCSFS,
        "AZURE_STORAGE_CONNECTION_STRING": (
            f"DefaultEndpointsProtocol=http;AccountName={account};BlobEndpoint={azure};"
            f"AccountKey={AZURE_KEY};"
        ),
    }


def make_objects() -> None:
    """Write what the cases look for, through fsspec itself."""
    if not stores_are_there():
        return
    os.environ.update(PLAIN_GCSFS)
    import adlfs
    import gcsfs
    import s3fs

    given = settings()
    s3 = s3fs.S3FileSystem(
        key="test", secret="test", client_kwargs={"endpoint_url": given["FLYTE_AWS_ENDPOINT"]}
    )
    gcs = gcsfs.GCSFileSystem(endpoint_url=given["STORAGE_EMULATOR_HOST"], token="anon")
    azure = adlfs.AzureBlobFileSystem(connection_string=given["AZURE_STORAGE_CONNECTION_STRING"])
    for store in (s3, gcs, azure):
        for key in KEYS:
            store.pipe_file(f"{ROOT}/{key}", b"x")
