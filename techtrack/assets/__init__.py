"""The monitored things: asset types, parameters, assets (equipment and sensors) and how they are right now."""
