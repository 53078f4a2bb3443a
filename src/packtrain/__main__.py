"""`python -m packtrain`."""

from packtrain.cli.main import main

if __name__ == "__main__":
    main()
