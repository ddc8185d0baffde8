"""Endpoints that nobody may make us call (reliability.md S18), `{port}` standing for a listener of this machine."""

ENDPOINTS = (
    "https://127.0.0.1:{port}/push",
    "https://localhost:{port}/push",
    "https://127.0.0.1/push",
    "https://127.1:{port}/push",
    "https://2130706433:{port}/push",
    "https://0x7f000001:{port}/push",
    "https://0177.0.0.1:{port}/push",
    "https://0:{port}/push",
    "https://[::1]:{port}/push",
    "https://[::ffff:127.0.0.1]:{port}/push",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://10.0.0.1/push",
    "https://192.168.0.1/push",
    "https://evil.example/push",
    "https://evil.example:{port}/push",
    "https://fcm.googleapis.com.evil.example/push",
    "https://evilfcm.googleapis.com/push",
    "https://fcm.googleapis.com:{port}/push",
    "https://fcm.googleapis.com:8443/push",
    "https://fcm.googleapis.com@127.0.0.1:{port}/push",
    "https://fcm.googleapis.com:x@127.0.0.1:{port}/push",
    "https://127.0.0.1:{port}\\@fcm.googleapis.com/push",
    "https://127.0.0.1:{port}#@fcm.googleapis.com/push",
    "https://127.0.0.1:{port}?@fcm.googleapis.com/push",
    "https://fcm.googleapis.com%00.evil.example/push",
    "https://fcm.googleapis.com%2eevil.example/push",
    "https://FCM.GOOGLEAPIS.COM.:{port}/push",
    "https://localhost.:{port}/push",
    "https:///127.0.0.1:{port}/push",
    "https://127.0.0.1:{port}/push.services.mozilla.com",
    "https://push.services.mozilla.com\\.evil.example/push",
    "https://localtest.me:{port}/push",
)
OF_OTHER_SCHEMES = (
    "http://fcm.googleapis.com/push",
    "http://127.0.0.1:{port}/push",
    "ftp://127.0.0.1:{port}/push",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_push",
)
"""The table of devices has no place for these at all."""
INNER = ("127.0.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fe80::1", "64:ff9b::7f00:1")
"""Where the name of a good provider may be made to lead."""
