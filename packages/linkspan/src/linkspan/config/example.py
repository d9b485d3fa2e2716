"""The linkspan.yaml that ``linkspan init`` writes: it loads as it is."""

EXAMPLE = """\
# What linkspan keeps on your ServiceNow instances. Check it with: linkspan plan
version: 1

instances:
  dev:
    url: "https://dev00000.service-now.com"   # the instance itself: no path behind the host
    environment: development                  # development, test, qa, staging, production, …
    admin:                                    # who may create accounts; used by plan, apply, rotate only
      scheme: basic                           # basic, oauth_password or oauth_client
      user: admin
      secret: "env:DEV_ADMIN"                 # never the secret itself: env:, file:, keyring:, store:
    # ca: ca.pem                              # further certificate authorities (PEM), beside the system's
    # proxy: "http://proxy.example:3128"      # only what is written here is used, not HTTPS_PROXY
    # requests_per_minute: 600                # what linkspan allows itself; 0 = no limit
    # transaction_seconds: 60                 # how long the instance lets one request run

accounts:
  responder:                                  # the machine identity an outside system uses
    recipe: sync                              # what it is for: a recipe's name or a path
    profile: least                            # the smallest set of grants that works
    user_name: svc.responder
    owner: abel.tuter                         # who answers for it
    instances: [dev]
    scheme: oauth_client                      # or basic, api_key, oauth_password, oauth_code
    # redirect_port: 8705                     # oauth_code: the browser comes back to 127.0.0.1 here

sync:
  desk:                                       # incidents of the embedded desk, in step with ServiceNow
    peer: desk
    instance: dev
    account: responder
    poll_seconds: 5
    push: false
    # filter: "category=network"              # an encoded query: which incidents enter; linked ones stay

    # follow_ups: task                        # follow-ups as tasks below the incident; left out: not synced
  # major:                                    # the same with incident.io
  #   peer: incident_io
  #   instance: dev
  #   account: responder
  #   api_key: "env:INCIDENT_IO_KEY"
  #   webhook_secrets: ["env:INCIDENT_IO_HOOK"]   # of POST /hooks/major; two while one is exchanged
  #   follow_ups: task
  #   include_private: false

# findings:                                   # one incident for each security finding that matters
#   code:
#     instance: dev
#     account: scanner
#     rules: rules.yaml                       # which matter, to whom they go; left out: high and critical
#     budget_per_hour: 50                     # incidents an hour; the rest waits
#     secrets: ["env:CODE_KEY"]               # of POST /findings/code; none: files only

# scan: {account: scanner}                    # who looks when the fleet is scanned; suites: [accounts]

# ingest:                                     # tables into the warehouse
#   dev:
#     account: reader
#     streams:
#       incident: {exclude: [description], hash: [caller_id]}   # never asked for; leaves as a keyed hash
#       change_request: {}

# satellites:                                 # who may send from inside another network
#   acme: {api_keys: ["env:SATELLITE_KEY"]}   # two keys while one is exchanged

hub:
  listen: "127.0.0.1:8700"                    # another address needs tokens
  # tokens: ["env:LINKSPAN_TOKEN"]
  # url: "https://linkspan.example.com"       # where people reach it, when that is not what it listens on
"""
