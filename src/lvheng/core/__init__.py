"""Types and engines that know no storage and no web: everything else may import from here."""
