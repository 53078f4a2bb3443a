"""Where loaded files go: adapters behind `ports.Store`."""
