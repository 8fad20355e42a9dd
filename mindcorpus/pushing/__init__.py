"""An artifact on its way to others: checked, let by its licences, sent whole or not at all."""
