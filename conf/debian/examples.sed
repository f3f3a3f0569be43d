# The front door's paths as the package has them, in place of those relative to a
# prefix. Which they are stands in README.Debian.
1,/^$/ s|^# "make run" starts\. Paths are relative: logs and modules to nginx's prefix,$|# "make run" starts; with the paths of Debian. Files named without a folder lie|
1,/^$/ s|^# files named in http to the folder of this file\.|# beside this one, in /etc/nginx.|
s|^load_module modules/ngx_http_wassiit_module\.so;|user www-data;\ninclude /etc/nginx/modules-enabled/*.conf;|
s|^pid logs/|pid /run/|
/^ *[a-z_]*_temp_path temp\//d
s|logs/\([a-z]*\.log\)|/var/log/nginx/\1|
s|file=state/|file=/var/lib/wassiit/|
s|unix:\([a-z]*\)\.sock|unix:/run/wassiit-\1.sock|g
s#\(alias\|root\) \(console\|docs\)#\1 /usr/share/wassiit/\2#
