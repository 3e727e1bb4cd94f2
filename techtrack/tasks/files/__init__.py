"""The folder of attachments, outside of all that is served, and the small pictures made of them."""
