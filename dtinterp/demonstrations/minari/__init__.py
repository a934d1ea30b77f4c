"""Exchange of demonstrations with Minari (Younis et al., https://minari.farama.org), both ways."""
