# hawser-camera: the only program that links FFmpeg's libraries.
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil)

file(GLOB APPS_CAMERA_SOURCES CONFIGURE_DEPENDS apps/camera/*.c)
list(REMOVE_ITEM APPS_CAMERA_SOURCES ${CMAKE_SOURCE_DIR}/apps/camera/main.c)
add_library(camera-parts STATIC ${APPS_CAMERA_SOURCES})
target_link_libraries(camera-parts PUBLIC apps-common PkgConfig::FFMPEG)

if(TARGET hawser)
    add_executable(hawser-camera apps/camera/main.c)
    target_link_libraries(hawser-camera PRIVATE camera-parts apps-public)
endif()
