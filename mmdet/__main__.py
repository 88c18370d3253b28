"""`python -m mmdet`: the command `memcnp`."""

from mmdet.cli.main import main

if __name__ == "__main__":
    main()
