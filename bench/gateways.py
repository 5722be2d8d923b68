"""The same servers before origins: each passes everything on, set up as its manual advises, with connections to the
origins kept where it can.  `origins` are addresses: host:port, or paths of Unix sockets."""
import servers
from servers import TUNNEL_S

KEPT = 128  # idle connections to an origin: more than any scenario's load


def petrel_address(where):
    return f"unix:{where}" if where.startswith("/") else where


class Petrel(servers.Petrel):
    handler = "proxy"
    server_options = ""  # of each server
    pool_options = f"keepalive {KEPT};"
    more = ""            # beside the pool

    @property
    def admin(self):
        return self.folder / "admin.sock"

    def conf(self):
        origins = "\n".join(f"    server {petrel_address(o)} {self.server_options};" for o in self.origins)
        return self.with_head(f"""
admin unix:{self.admin};
pool bench {{
{origins}
    {self.pool_options}
}}
{self.more}
site * {{ root {self.stage.work}; route * {{ {self.handler} bench; }} }}
""")


class PetrelFastcgi(Petrel):
    handler = "fastcgi"


class Nginx(servers.Nginx):
    server_options = ""
    location = 'proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection "";'

    def conf(self):
        origins = "\n".join(f"server {'unix:' if o.startswith('/') else ''}{o} {self.server_options};"
                            for o in self.origins)
        return self.in_http(f"""
                upstream bench {{ {origins} keepalive {KEPT}; keepalive_requests 1000000000; }}
                server {{ listen 127.0.0.1:{self.port}; root {self.stage.work}; location / {{ {self.location} }} }}
            """)


class NginxFastcgi(Nginx):
    location = ("include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;"
                " fastcgi_pass bench; fastcgi_keep_conn on;")


class NginxTunnel(Nginx):
    location = ('proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;'
                f' proxy_set_header Connection "upgrade"; proxy_read_timeout {TUNNEL_S}s;')


class Haproxy(servers.Haproxy):
    server_options = ""
    backend_options = "http-reuse always"

    def conf(self):
        origins = "\n".join(f"    server s{i} {o} {self.server_options}" for i, o in enumerate(self.origins))
        return self.in_frontend("default_backend bench") + f"""
backend bench
    {self.backend_options}
{origins}
"""


class Lighttpd(servers.Lighttpd):
    """It closes its connection to the origin after each request."""
    module, backend = "mod_proxy", 'proxy.server = ( "" => (( {0} )) )'

    def conf(self):
        where = self.origins[0]
        host, _, port = where.rpartition(":")
        address = f'"socket" => "{where}"' if where.startswith("/") else f'"host" => "{host}", "port" => {port}'
        return super().conf() + f"""
            server.modules += ( "{self.module}" )
            {self.backend.format(address)}
            """


class LighttpdFastcgi(Lighttpd):
    module, backend = "mod_fastcgi", 'fastcgi.server = ( ".php" => (( {0}, "check-local" => "disable" )) )'

    def conf(self):
        return super().conf().replace(f'"{self.stage.site}"', f'"{self.stage.work}"')


class Caddy(servers.Caddy):
    def conf(self):
        return self.in_site(f"""reverse_proxy {" ".join(self.origins)} {{
		transport http {{
			keepalive_idle_conns {2 * KEPT}
			keepalive_idle_conns_per_host {KEPT}
		}}
	}}""")


PROXIES = (Petrel, Haproxy, Nginx, Lighttpd, Caddy)
FASTCGI = (PetrelFastcgi, NginxFastcgi, LighttpdFastcgi)
